-- What the records of each sheet of the ledger come to, as JSON; of one without, no row.
-- grain:  sheet
-- inputs: files (of which the sheets are)
-- params: $sheets (their paths), $name (of the sums in a footer)
SELECT decode(value) AS sums
FROM parquet_kv_metadata($sheets)
WHERE key = $name::BLOB
