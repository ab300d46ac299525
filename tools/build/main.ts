/** `bun run build`: the single binary `dist/gantry` (command line and daemon), and the shim beside it. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const DIST = join(ROOT, "dist");

async function run(argv: readonly string[]): Promise<void> {
	const child = Bun.spawn([...argv], { cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
	const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	if (code !== 0) throw new Error(`${argv.join(" ")} ended with code ${code}:\n${stdout}${stderr}`);
}

/**
 * The binary must not read .env or bunfig.toml of the user's directory. Split: else each command would load the bytecode of
 * the whole program, daemon included.
 */
async function buildBinary(): Promise<void> {
	const unfinished = join(DIST, `gantry.${process.pid}.tmp`);
	try {
		await run([
			process.execPath,
			"build",
			"--compile",
			"--bytecode",
			"--format=esm",
			"--splitting",
			"--no-compile-autoload-dotenv",
			"--no-compile-autoload-bunfig",
			"--minify-syntax",
			"--minify-whitespace",
			"src/main.ts",
			// Threads begin with a file of their own.
			"src/daemon/layer-worker.ts",
			`--outfile=${unfinished}`,
		]);
		renameSync(unfinished, join(DIST, "gantry"));
	} finally {
		rmSync(unfinished, { force: true });
	}
}

function linkDaemon(): void {
	rmSync(join(DIST, "gantryd"), { force: true });
	symlinkSync("gantry", join(DIST, "gantryd"));
}

async function buildShim(): Promise<void> {
	if (!existsSync(join(ROOT, "shim/Makefile"))) return;
	await run(["make", "-C", "shim", "-s", "all"]);
	const target = join(DIST, "gantry-shim");
	const unfinished = `${target}.${process.pid}.tmp`;
	copyFileSync(join(ROOT, "shim/build/gantry-shim"), unfinished);
	chmodSync(unfinished, 0o755);
	renameSync(unfinished, target);
}

mkdirSync(DIST, { recursive: true });
await Promise.all([buildBinary(), buildShim()]);
linkDaemon();
for (const name of ["gantry", "gantry-shim"]) {
	const path = join(DIST, name);
	if (existsSync(path)) console.log(`dist/${name}  ${(statSync(path).size / 1e6).toFixed(1)} MB`);
}
