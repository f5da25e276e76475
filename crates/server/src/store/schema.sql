-- Version 1. `seq` is the order of creation; `body` is the object as the API shows it, in JSON.
CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    purpose TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX files_by_content ON files (sha256);

CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    training_file TEXT NOT NULL,
    validation_file TEXT,
    body TEXT NOT NULL
);
CREATE INDEX jobs_by_status ON jobs (status);

-- `key` says what the event tells, so that a job which goes on after a restart tells nothing twice.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (job_id, key)
);

CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    step INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (job_id, step)
);

-- `folder` is the adapter's, below the folder of adapters.
CREATE TABLE models (
    id TEXT NOT NULL PRIMARY KEY,
    created INTEGER NOT NULL,
    base TEXT NOT NULL,
    base_sha256 TEXT NOT NULL,
    job_id TEXT,
    folder TEXT NOT NULL
);
