SELECT f.origin, f.dest, any_value(a.name) AS dest_name,
       count(*) AS flights,
       count(DISTINCT f.carrier) AS carriers,
       min(f.distance) AS distance,
       avg(f.arr_delay) AS mean_arr_delay
FROM operations.flights_v1.flights f
LEFT JOIN network.airports_v1.airports a ON a.faa = f.dest
GROUP BY f.origin, f.dest
