/** Other people's clients, installed into a cache of the user when a test needs them: the project does not depend on them. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../support/commands.ts";

const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "gantry-conformance");
const INSTALL_MS = 300_000;

export type Installation =
	| { readonly directory: string; readonly reason?: undefined }
	| { readonly directory?: undefined; readonly reason: string };

/** A folder whose `node_modules` holds the package. */
export function installNodePackage(name: string, version: string): Promise<Installation> {
	const options = ["--no-audit", "--no-fund", "--no-progress", "--ignore-scripts"];
	return installOnce(`${name}-${version}`, async (directory) => [
		["npm", "install", "--prefix", directory, ...options, `${name}@${version}`],
	]);
}

/** A virtual environment of Python that holds the package. */
export function installPythonPackage(name: string, version: string): Promise<Installation> {
	return installOnce(`${name}-${version}-venv`, async (directory) => [
		["python3", "-m", "venv", directory],
		[join(directory, "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", `${name}==${version}`],
	]);
}

/** The folder gets its name last, so that one with its name is whole. */
async function installOnce(
	name: string,
	commands: (directory: string) => Promise<readonly (readonly string[])[]>,
): Promise<Installation> {
	const directory = join(CACHE, name);
	if (existsSync(directory)) return { directory };
	mkdirSync(CACHE, { recursive: true });
	const unfinished = mkdtempSync(join(CACHE, "unfinished-"));
	try {
		for (const argv of await commands(unfinished)) {
			const problem = await problemOf(argv);
			if (problem !== undefined) return { reason: `${argv.slice(0, 3).join(" ")}: ${problem}` };
		}
		renameSync(unfinished, directory);
		return { directory };
	} catch (error) {
		if (existsSync(directory)) return { directory }; // another run was faster
		throw error;
	} finally {
		rmSync(unfinished, { recursive: true, force: true });
	}
}

async function problemOf(argv: readonly string[]): Promise<string | undefined> {
	if (Bun.which(argv[0] ?? "") === null) return "the program is missing";
	const { code, stdout, stderr } = await runCommand(argv, { timeoutMs: INSTALL_MS });
	return code === 0 ? undefined : (`${stderr}\n${stdout}`.trim().split("\n")[0] ?? `code ${code}`);
}
