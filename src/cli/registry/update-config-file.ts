import { mkdir, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { errnoCode, errorMessage } from "../../base/errors.ts";
import type { ConfigFile } from "../config-file.ts";

const OWNER_ONLY = 0o600;

/**
 * Changes `config.json` and keeps everything else in it. Readers see the old file or the new one, and only its owner can read it: it
 * may hold passwords.
 */
export async function updateConfigFile(folder: string, change: (config: ConfigFile) => void): Promise<void> {
	await mkdir(folder, { recursive: true, mode: 0o700 });
	const path = await realPath(`${folder}/config.json`);
	const config = await readConfig(path);
	change(config);
	const temporary = `${path}.${process.pid}`;
	try {
		const file = await open(temporary, "w", OWNER_ONLY);
		try {
			await file.writeFile(`${JSON.stringify(config, undefined, "\t")}\n`);
			const mode = await modeOf(path);
			if (mode !== undefined) await file.chmod(mode & OWNER_ONLY);
			await file.sync();
		} finally {
			await file.close();
		}
		await rename(temporary, path);
	} catch (cause) {
		await rm(temporary, { force: true });
		throw new Error(`failed to save ${path}: ${errorMessage(cause)}`, { cause });
	}
}

/** A link stays one. */
async function realPath(path: string): Promise<string> {
	try {
		return await realpath(path);
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return path;
		throw error;
	}
}

async function readConfig(path: string): Promise<ConfigFile> {
	let text: string;
	try {
		text = await readFile(path, "utf8");
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return {};
		throw error;
	}
	if (text.trim() === "") return {};
	try {
		return JSON.parse(text) as ConfigFile;
	} catch (cause) {
		// Writing it anew would lose what somebody else put there.
		throw new Error(`${path} is not JSON and stays as it is`, { cause });
	}
}

async function modeOf(path: string): Promise<number | undefined> {
	try {
		return (await stat(path)).mode & 0o777;
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return undefined;
		throw error;
	}
}
