// Run by Node: the life of a container through dockerode. Prints what it saw as one line of JSON.
import { createRequire } from "node:module";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(join(process.env.PACKAGES, "node_modules", "_"));
const Docker = require("dockerode");
const tar = require("tar-fs");
const { mkdirSync, readFileSync, writeFileSync } = require("node:fs");

const docker = new Docker({ socketPath: process.env.DOCKER_HOST.replace("unix://", "") });
const seen = {};

// Events, from before to after.
const events = await docker.getEvents({ filters: { type: ["container"] } });
const actions = [];
let rest = "";
events.on("data", (chunk) => {
	const lines = (rest + chunk).split("\n");
	rest = lines.pop();
	for (const line of lines) if (line !== "") actions.push(JSON.parse(line).Action);
});

// Attached through an upgraded connection, input half-closed.
const echo = await docker.createContainer({
	Image: "busybox",
	name: "conformance-echo",
	Cmd: ["sh", "-c", "cat; echo problem >&2; exit 4"],
	OpenStdin: true,
	StdinOnce: true,
	AttachStdin: true,
	AttachStdout: true,
	AttachStderr: true,
});
const stream = await echo.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
const [stdout, stderr] = [new PassThrough(), new PassThrough()];
docker.modem.demuxStream(stream, stdout, stderr);
stream.on("end", () => {
	stdout.end();
	stderr.end();
});
await echo.start();
stream.end("typed in\n");
seen.attached = { stdout: await text(stdout), stderr: await text(stderr) };
seen.exitCode = (await echo.wait()).StatusCode;
const { StartedAt } = (await echo.inspect()).State;
const since = new Date(StartedAt).getTime() / 1000;
seen.logsSinceStart = (await echo.logs({ stdout: true, since })).subarray(8).toString();
await echo.remove();

// One call for all of it, on a terminal.
const output = new PassThrough();
const [result, container] = await docker.run("busybox", ["sh", "-c", "test -t 1 && echo terminal"], output);
seen.run = { code: result.StatusCode, output: output.read().toString() };
await container.remove();

// Something that goes on: exec, archive, top, stats, rename, pause, commit.
const holder = await docker.createContainer({
	Image: "busybox",
	Cmd: ["sleep", "1000"],
	HostConfig: { PidsLimit: 50 },
});
await holder.start();
const exec = await holder.exec({ Cmd: ["sh", "-c", "cat; exit 6"], AttachStdin: true, AttachStdout: true });
const session = await exec.start({ hijack: true, stdin: true });
const execOutput = new PassThrough();
docker.modem.demuxStream(session, execOutput, execOutput);
session.on("end", () => execOutput.end());
session.end("to the exec");
seen.exec = { output: await text(execOutput), code: (await exec.inspect()).ExitCode };

mkdirSync("tree/dir", { recursive: true });
writeFileSync("tree/dir/file", "through an archive");
await holder.putArchive(tar.pack("tree"), { path: "/tmp" });
const unpacked = tar.extract("unpacked");
(await holder.getArchive({ path: "/tmp/dir" })).pipe(unpacked);
await new Promise((resolve, reject) => unpacked.on("finish", resolve).on("error", reject));
seen.archive = readFileSync("unpacked/dir/file", "utf8");

seen.top = (await holder.top()).Processes.length;
const stats = await holder.stats({ stream: false });
seen.stats = [stats.pids_stats.limit, stats.memory_stats.usage > 0];
await holder.rename({ name: "conformance-holder" });
seen.name = (await docker.getContainer("conformance-holder").inspect()).Name;
await holder.pause();
seen.paused = (await docker.listContainers({ filters: { status: ["paused"] } })).length;
await holder.unpause();
seen.changes = (await holder.changes()).map(({ Path }) => Path).includes("/tmp/dir/file");
await holder.commit({ repo: "conformance", tag: "one", changes: 'CMD ["cat", "/tmp/dir/file"]' });
const fromCommit = new PassThrough();
const [, second] = await docker.run("conformance:one", undefined, fromCommit);
seen.committed = fromCommit.read().toString();
await second.remove();
await docker.getImage("conformance:one").remove();
await holder.remove({ force: true });

// Errors, as clients tell them apart.
const statusOf = (work) => work.then(String, (error) => error.statusCode);
seen.errors = [
	await statusOf(holder.inspect()),
	await statusOf(docker.createContainer({ Image: "no-such-image" })),
	await statusOf(docker.createContainer({ Image: "busybox", name: "/" })),
];
const { Containers } = await docker.df();
seen.left = Containers.length;
await sleep(100);
events.destroy();
seen.actions = [...new Set(actions.map((action) => action.split(":")[0]))].sort();
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
