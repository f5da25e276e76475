-- Version 3: jobs that the server's own stopping paused (`goes_on` is 1), which go on by themselves at its next start.
ALTER TABLE jobs ADD COLUMN goes_on INTEGER NOT NULL DEFAULT 0;
