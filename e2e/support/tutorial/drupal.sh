#!/bin/sh
# A page that is nothing without its database: it counts its visits there.
printf 'Content-Type: text/plain\r\n\r\n'
psql -h psql -U postgres -qtA <<'END' 2>&1
SET client_min_messages = error;
CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now());
INSERT INTO visits DEFAULT VALUES;
SELECT 'Welcome to Drupal, visitor ' || count(*) FROM visits;
END
