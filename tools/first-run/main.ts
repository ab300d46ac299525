/** What `npm start` does once the machine is set up: daemon, base image, an image built on it, a container with a published port, its page. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { BUSYBOX_CHANGES, makeBusyboxTar } from "../base-images/busybox.ts";

const ROOT = join(import.meta.dir, "../..");
const SOCKET = "/var/run/gantry.sock";
const LOG = "/var/log/gantryd.log";
const CONTAINER = "gantry-hello";
const IMAGE = "gantry-hello:latest";
const EXAMPLE = join(ROOT, "examples/hello");
const FIRST_PORT = 8080;
const DAEMON_START_MS = 20_000;
const PAGE_MS = 10_000;

/** Something went wrong that the message explains; no stack is printed. */
class FirstRunError extends Error {}

function say(line: string): void {
	console.log(line);
}

async function isDaemonUp(): Promise<boolean> {
	try {
		const response = await fetch("http://gantry/_ping", { unix: SOCKET, signal: AbortSignal.timeout(2_000) });
		return response.ok;
	} catch {
		return false; // no socket, nobody listening, or no answer in time
	}
}

/** Starts gantryd in a session of its own: it stays when this program ends. */
async function startDaemon(): Promise<void> {
	const log = openSync(LOG, "a");
	const logStart = readFileSync(LOG).length;
	const child = spawn(join(ROOT, "bin/gantryd"), [], { detached: true, cwd: "/", stdio: ["ignore", log, log] });
	closeSync(log);
	let failure: string | undefined;
	child.on("error", (error) => {
		failure = error.message;
	});
	child.on("exit", (code, signal) => {
		failure = `gantryd ended with ${signal ?? `code ${code}`}`;
	});
	const deadline = Date.now() + DAEMON_START_MS;
	while (!(await isDaemonUp())) {
		if (failure === undefined && Date.now() > deadline) failure = "gantryd does not answer";
		if (failure !== undefined) {
			const tail = readFileSync(LOG, "utf8").slice(logStart).trim().split("\n").slice(-10).join("\n");
			throw new FirstRunError(`${failure}. Its log, ${LOG}, ends with:\n${tail}`);
		}
		await Bun.sleep(20);
	}
	child.unref();
}

interface CommandResult {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

async function gantry(args: readonly string[], stdin?: Uint8Array): Promise<CommandResult> {
	const environment = { ...process.env, DOCKER_HOST: `unix://${SOCKET}` };
	const child = Bun.spawn([join(ROOT, "bin/gantry"), ...args], {
		stdin: stdin ?? "ignore",
		stdout: "pipe",
		stderr: "pipe",
		env: environment,
	});
	const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	return { code, stdout, stderr };
}

async function mustGantry(args: readonly string[], stdin?: Uint8Array): Promise<string> {
	const result = await gantry(args, stdin);
	if (result.code !== 0)
		throw new FirstRunError(`gantry ${args.join(" ")} ended with code ${result.code}:\n${result.stderr.trim()}`);
	return result.stdout.trim();
}

/** The first free port from 8080 on. */
async function freePort(): Promise<number> {
	for (let port = FIRST_PORT; port < FIRST_PORT + 100; port++) if (await isPortFree(port)) return port;
	throw new FirstRunError(`No free port from ${FIRST_PORT} to ${FIRST_PORT + 99}`);
}

function isPortFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen({ port, host: "0.0.0.0", exclusive: true }, () => server.close(() => resolve(true)));
	});
}

/** node:http, because fetch() would ask the proxy of the environment for a page of this machine. */
function getDirectly(url: string): Promise<{ status: number; text: string }> {
	return new Promise((resolve, reject) => {
		const request = get(url, { timeout: 2_000, agent: false }, (response) => {
			let text = "";
			response.setEncoding("utf8");
			response.on("data", (chunk: string) => {
				text += chunk;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
			response.on("error", reject);
		});
		request.on("timeout", () => request.destroy(new Error("no answer in 2 s")));
		request.on("error", reject);
	});
}

/** The web server may need a moment to listen. */
async function fetchPage(url: string): Promise<string> {
	const deadline = Date.now() + PAGE_MS;
	for (;;) {
		try {
			const { status, text } = await getDirectly(url);
			if (status === 200) return text;
			throw new FirstRunError(`${url} answers ${status}`);
		} catch (error) {
			if (error instanceof FirstRunError || Date.now() > deadline)
				throw new FirstRunError(`${url} cannot be fetched: ${error instanceof Error ? error.message : error}`);
			await Bun.sleep(20);
		}
	}
}

async function firstRun(): Promise<void> {
	if (await isDaemonUp()) say(`daemon      already up on ${SOCKET}`);
	else {
		await startDaemon();
		say(`daemon      started on ${SOCKET}, log in ${LOG}`);
	}
	if ((await gantry(["image", "inspect", "busybox:latest"])).code === 0) say("image       busybox:latest is there");
	else {
		const changes = BUSYBOX_CHANGES.flatMap((change) => ["--change", change]);
		await mustGantry(["import", ...changes, "-", "busybox:latest"], makeBusyboxTar());
		say("image       busybox:latest made from this machine's busybox-static");
	}
	const buildStart = performance.now();
	await mustGantry(["build", "-q", "-t", IMAGE, EXAMPLE]);
	say(`build       gantry build -t ${IMAGE} ${relative(process.cwd(), EXAMPLE) || "."}`);
	say(`            from its Dockerfile in ${(performance.now() - buildStart).toFixed(0)} ms`);
	if ((await gantry(["container", "inspect", CONTAINER])).code === 0) await mustGantry(["rm", "-f", CONTAINER]);
	const port = await freePort();
	const run = ["run", "-d", "--name", CONTAINER, "-p", `${port}:80`, IMAGE];
	const startedAt = performance.now();
	const id = await mustGantry(run);
	const runMs = performance.now() - startedAt;
	say(`container   gantry ${run.join(" ")}`);
	say(`            ${id.slice(0, 12)} runs; the command took ${runMs.toFixed(0)} ms`);
	const url = `http://127.0.0.1:${port}/`;
	const page = await fetchPage(url);
	say(`page        ${url} says: ${/<h1>(.*?)<\/h1>/.exec(page)?.[1] ?? page.trim().slice(0, 60)}`);
	say(howToGoOn());
}

function howToGoOn(): string {
	const gantryPath = join(ROOT, "bin/gantry");
	return [
		"",
		"Go on with:",
		`  ${gantryPath} ps`,
		`  ${gantryPath} run -it --rm busybox`,
		`  ${gantryPath} build --build-arg NAME=you -t ${IMAGE} ${EXAMPLE}`,
		`  ${gantryPath} rm -f ${CONTAINER}`,
		"or with Docker's own tools:",
		`  DOCKER_HOST=unix://${SOCKET} docker ps`,
		`To have gantry on the PATH:  ln -s ${gantryPath} /usr/local/bin/gantry`,
	].join("\n");
}

try {
	await firstRun();
} catch (error) {
	if (!(error instanceof FirstRunError)) throw error;
	console.error(`\n${error.message}`);
	process.exitCode = 1;
}
