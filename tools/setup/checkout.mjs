// What the checkout itself needs: npm packages, the pinned Bun, the compiled shim.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "./setup-error.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
export const BUN = join(ROOT, "node_modules/bun/bin/bun.exe");

export function prepareCheckout(log) {
	if (!dependenciesMatch(readJson("package-lock.json"), readJson("node_modules/.package-lock.json"))) {
		log("installing npm packages");
		installDependencies();
	}
	checkBun(log);
	buildShim(log);
}

/**
 * Whether what npm noted about node_modules is what the lock file asks for. Optional packages (binaries of other
 * platforms) may be absent, but must not be of another version.
 */
export function dependenciesMatch(lock, installed) {
	if (installed === undefined) return false;
	for (const [path, wanted] of Object.entries(lock?.packages ?? {})) {
		if (path === "") continue;
		const found = installed.packages?.[path];
		if (found === undefined ? !wanted.optional : found.version !== wanted.version) return false;
	}
	return true;
}

function readJson(relativePath) {
	const path = join(ROOT, relativePath);
	return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function installDependencies() {
	const npm = process.env.npm_execpath;
	const [command, ...args] = npm === undefined ? ["npm"] : [process.execPath, npm];
	const result = run(command, [...args, "ci", "--include=dev", "--include=optional", "--no-progress"]);
	if (result.status !== 0)
		throw new SetupError(`The npm packages could not be installed (npm ci).\n${firstLines(result)}`);
}

/** npm may be told not to run install scripts; Bun's puts its binary in place, so it is run by hand then. */
function checkBun(log) {
	const wanted = readJson("package-lock.json").packages["node_modules/bun"].version;
	if (bunVersion() === wanted) return;
	log("putting the Bun binary in place");
	const result = run(process.execPath, [join(ROOT, "node_modules/bun/install.js")]);
	if (bunVersion() !== wanted)
		throw new SetupError(`Bun ${wanted} does not run on this machine (${BUN}).\n${lastLines(result)}`);
}

function bunVersion() {
	const result = spawnSync(BUN, ["--version"], { encoding: "utf8" });
	return result.status === 0 ? result.stdout.trim() : undefined;
}

function buildShim(log) {
	if (!existsSync(join(ROOT, "shim/Makefile"))) return;
	if (run("make", ["-C", "shim", "-q", "all"]).status === 0) return;
	log("building the shim");
	const result = run("make", ["-C", "shim", "-s", "all"]);
	if (result.status !== 0) throw new SetupError(`The shim could not be built (make -C shim).\n${lastLines(result)}`);
}

function run(command, args) {
	return spawnSync(command, args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** npm says what is wrong first, and how to call it last. */
function firstLines(result) {
	if (result.error) return result.error.message;
	const lines = result.stderr.split("\n").filter((line) => line.trim() !== "npm error" && !line.startsWith("npm warn"));
	return lines.slice(0, 8).join("\n");
}

function lastLines(result) {
	if (result.error) return result.error.message;
	return `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-12).join("\n");
}
