WITH flown AS (
  SELECT f.origin, f.month, f.dep_delay,
         CASE WHEN w.origin IS NULL THEN 'no weather reading'
              WHEN w.precip > 0 THEN 'precipitation'
              WHEN w.visib < 3 THEN 'low visibility'
              WHEN w.wind_speed BETWEEN 25 AND 200 THEN 'strong wind'
              WHEN f.hour >= 20 THEN 'late evening'
              ELSE 'other' END AS cause
  FROM operations.flights_v1.flights f
  LEFT JOIN weather.observations_v1.observations w ON w.origin = f.origin AND w.time_hour = f.time_hour
)
SELECT flown.origin, a.name AS origin_name, flown.month, flown.cause,
       count(*) AS flights,
       count(*) FILTER (flown.dep_delay > 15) AS delayed,
       sum(flown.dep_delay) FILTER (flown.dep_delay > 0) AS minutes
FROM flown
JOIN network.airports_v1.airports a ON a.faa = flown.origin
GROUP BY flown.origin, a.name, flown.month, flown.cause
