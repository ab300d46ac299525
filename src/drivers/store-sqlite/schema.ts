/**
 * The daemon's database, `<data-root>/gantry.db`. Records are JSON documents; what has to be unique or looked up by the
 * database itself stands in a column of its own.
 *
 * ```
 * meta        key (primary key) · value               daemon ID and other single values
 * containers  id (primary key) · version · name · removing · record
 *             unique name while not removing: a name is free again as soon as the removal is certain to be completed
 * volumes     name (primary key) · record
 * networks    id (primary key) · name (unique) · record
 * images      id (primary key) · record
 * layers      chain_id (primary key) · record
 * image_uses  image (primary key) · used_at           when a container or a person needed the image last, in ms
 * image_pins  name (primary key)                      references and IDs that no collection removes
 * build_cache id (primary key) · record
 * build_runs  id (primary key) · record              RUN steps under way
 * ```
 *
 * `PRAGMA user_version` counts the migrations that were applied. A migration, once released, is never edited.
 */
export const MIGRATIONS: readonly string[] = [
	`
	CREATE TABLE meta (
		key   TEXT PRIMARY KEY,
		value TEXT NOT NULL
	) STRICT, WITHOUT ROWID;

	CREATE TABLE containers (
		id       TEXT PRIMARY KEY,
		version  INTEGER NOT NULL,
		name     TEXT NOT NULL,
		removing INTEGER NOT NULL,
		record   TEXT NOT NULL
	) STRICT;
	CREATE UNIQUE INDEX containers_by_name ON containers (name) WHERE removing = 0;

	CREATE TABLE volumes (
		name   TEXT PRIMARY KEY,
		record TEXT NOT NULL
	) STRICT;

	CREATE TABLE networks (
		id     TEXT PRIMARY KEY,
		name   TEXT NOT NULL UNIQUE,
		record TEXT NOT NULL
	) STRICT;

	CREATE TABLE images (
		id     TEXT PRIMARY KEY,
		record TEXT NOT NULL
	) STRICT;

	CREATE TABLE layers (
		chain_id TEXT PRIMARY KEY,
		record   TEXT NOT NULL
	) STRICT;
	`,
	`
	CREATE TABLE build_cache (
		id     TEXT PRIMARY KEY,
		record TEXT NOT NULL
	) STRICT;

	CREATE TABLE build_runs (
		id     TEXT PRIMARY KEY,
		record TEXT NOT NULL
	) STRICT;
	`,
	`
	CREATE TABLE image_uses (
		image   TEXT PRIMARY KEY,
		used_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;

	CREATE TABLE image_pins (
		name TEXT PRIMARY KEY
	) STRICT;
	`,
];
