/** Images built with dockerode, as its users do it; what was seen goes out as JSON. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { PassThrough } from "node:stream";

const Docker = createRequire(join(process.env.PACKAGES, "node_modules", "_"))("dockerode");

const docker = new Docker({ socketPath: process.env.DOCKER_HOST.replace("unix://", "") });
const seen = {};

mkdirSync("node-context/dir", { recursive: true });
writeFileSync(
	"node-context/Dockerfile",
	'FROM busybox\nARG WORD\nCOPY dir /dir\nRUN echo $WORD >> /dir/file\nCMD ["cat", "/dir/file"]\n',
);
writeFileSync("node-context/dir/file", "file\n");

async function build(options) {
	const stream = await docker.buildImage({ context: "node-context", src: ["Dockerfile", "dir"] }, options);
	return new Promise((resolve, reject) =>
		docker.modem.followProgress(stream, (error, messages) => (error ? reject(error) : resolve(messages))),
	);
}

const messages = await build({ t: "node-built", buildargs: { WORD: "word" } });
seen.id = messages.find(({ aux }) => aux !== undefined).aux.ID === (await docker.getImage("node-built").inspect()).Id;
seen.last = messages.at(-1).stream;
const output = new PassThrough();
const [, container] = await docker.run("node-built", undefined, output);
seen.run = output.read().toString();
await container.remove();
seen.cached = (await build({ t: "node-built", buildargs: { WORD: "word" } })).filter(
	({ stream }) => stream === " ---> Using cache\n",
).length;
seen.failed = await build({ t: "node-built", dockerfile: "missing" }).then(String, ({ statusCode, message }) => [
	statusCode,
	message.includes("Cannot locate specified Dockerfile: missing"),
]);
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
