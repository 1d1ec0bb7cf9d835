SELECT tailnum, year, type, manufacturer, model, engines, seats, speed, engine FROM planes_file
