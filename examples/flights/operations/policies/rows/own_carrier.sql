-- table: operations.flights.flights
-- to: team:analysts
carrier = principal.carrier
