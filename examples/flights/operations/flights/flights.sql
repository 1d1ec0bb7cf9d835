-- The source as it is: names and values are kept, its defects are told by the contract.
SELECT year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay, carrier,
       flight, tailnum, origin, dest, air_time, distance, hour, minute, time_hour
FROM flights_file
