import { Database, SQLiteError } from "bun:sqlite";
import { ConflictError, errorMessage, SystemError } from "../../base/errors.ts";
import { MIGRATIONS } from "./schema.ts";
import { SpaceReserve } from "./space-reserve.ts";

/**
 * Opens (or creates) the database: write-ahead log, every commit on disk before it returns, migrated to the newest schema.
 * @throws SystemError when the file is no database, is damaged, or was written by a newer version.
 */
export function openDatabase(path: string): Database {
	const reserve = new SpaceReserve(path);
	try {
		const database = reserve.run(() => open(path));
		reserve.refill();
		return database;
	} catch (cause) {
		throw translate(cause, path);
	}
}

function open(path: string): Database {
	let database: Database | undefined;
	try {
		database = new Database(path, { create: true, readwrite: true, strict: true });
		database.run("PRAGMA journal_mode = WAL");
		database.run("PRAGMA synchronous = FULL");
		database.run("PRAGMA foreign_keys = ON");
		database.run("PRAGMA busy_timeout = 5000");
		checkIntegrity(database, path);
		migrate(database, path);
		return database;
	} catch (error) {
		database?.close();
		throw error;
	}
}

function checkIntegrity(database: Database, path: string): void {
	const row = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
	if (row?.quick_check !== "ok")
		throw new SystemError(`database ${path} is damaged: ${row?.quick_check ?? "no answer"}`);
}

function migrate(database: Database, path: string): void {
	const version = database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
	if (version > MIGRATIONS.length)
		throw new SystemError(
			`database ${path} was written by a newer version (schema ${version}, this version knows ${MIGRATIONS.length})`,
		);
	MIGRATIONS.slice(version).forEach((statements, index) => {
		database.transaction(() => {
			database.run(statements);
			database.run(`PRAGMA user_version = ${version + index + 1}`);
		})();
	});
}

function translate(cause: unknown, path: string): Error {
	if (cause instanceof SystemError) return cause;
	const code = cause instanceof SQLiteError ? cause.code : undefined;
	if (code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB")
		return new SystemError(`database ${path} is damaged: ${errorMessage(cause)}`, { cause });
	return new SystemError(`cannot open database ${path}: ${errorMessage(cause)}`, { cause });
}

/**
 * Runs one statement or transaction and translates what the database says.
 * @throws ConflictError for a taken key, with `conflict` as its text; SystemError for everything else (full disk, damage).
 */
export function execute<T>(work: () => T, conflict: string): T {
	try {
		return work();
	} catch (cause) {
		if (!(cause instanceof SQLiteError)) throw cause;
		if (cause.code?.startsWith("SQLITE_CONSTRAINT") === true) throw new ConflictError(conflict, { cause });
		if (cause.code === "SQLITE_FULL") throw new SystemError("no space left on device", { cause });
		throw new SystemError(`database: ${cause.message}`, { cause });
	}
}

/**
 * Runs one statement whose commit does not wait for the disk: the death of the process leaves it alone, that of the machine may
 * undo it, unless a commit that waits came after it. Order is kept: nothing later survives without it.
 */
export function withoutSync<T>(database: Database, work: () => T): T {
	database.run("PRAGMA synchronous = NORMAL");
	try {
		return work();
	} finally {
		database.run("PRAGMA synchronous = FULL");
	}
}

/** @throws SystemError naming the record that cannot be read. */
export function parseRecord<T>(json: string, what: string): T {
	try {
		return JSON.parse(json) as T;
	} catch (cause) {
		throw new SystemError(`the stored record of ${what} is damaged`, { cause });
	}
}
