SELECT a.tailnum, a.manufacturer, a.model, a.seats,
       count(*) AS flights,
       count(*) FILTER (f.dep_time IS NULL) AS cancelled,
       sum(f.air_time) / 60.0 AS hours,
       sum(f.distance) FILTER (f.air_time IS NOT NULL) AS miles
FROM operations.flights_v1.flights f
JOIN fleet.aircraft_v1.aircraft a ON a.tailnum = f.tailnum
GROUP BY a.tailnum, a.manufacturer, a.model, a.seats
