-- Version 2: files that go away by themselves, and uploads in parts.
ALTER TABLE files ADD COLUMN expires_at INTEGER;
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

-- `file_seconds` is how long the file is to be kept; `parts` the ids that it was joined from, in their order.
CREATE TABLE uploads (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    file_seconds INTEGER,
    parts TEXT,
    body TEXT NOT NULL
);
CREATE INDEX uploads_by_status ON uploads (status, expires_at);

CREATE TABLE parts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    upload_id TEXT NOT NULL REFERENCES uploads (id),
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX parts_by_upload ON parts (upload_id);
CREATE INDEX parts_by_content ON parts (sha256);
