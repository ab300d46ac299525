// Run by Node: what a project with Testcontainers does. Prints what it saw as one line of JSON.
import assert from "node:assert";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.PACKAGES, "node_modules", "_"));
const { GenericContainer, Wait } = require("testcontainers");

// It does not let the socket of a log keep Node running; the timer does.
setInterval(() => {}, 1_000);

const SCRIPT = "echo ready to serve; exec httpd -f -h /srv";
const page = async (container) =>
	(await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/index.html`)).text();

const web = await new GenericContainer("busybox:latest")
	.withExposedPorts(80)
	.withCommand(["sh", "-c", SCRIPT])
	.withEnvironment({ KEY: "value" })
	.withLabels({ purpose: "conformance" })
	.withTmpFs({ "/scratch": "rw,size=1m" })
	.withHealthCheck({ test: ["CMD-SHELL", "wget -qO- http://127.0.0.1/index.html"], interval: 200, retries: 20 })
	.withCopyContentToContainer([{ content: "<h1>from the test</h1>", target: "/srv/index.html" }])
	.withWaitStrategy(
		Wait.forAll([
			Wait.forLogMessage("ready to serve"),
			Wait.forListeningPorts(),
			Wait.forHttp("/index.html", 80).forStatusCode(200),
			Wait.forHealthCheck(),
		]),
	)
	.withStartupTimeout(30_000)
	.start();

const seen = { page: await page(web) };
await web.copyContentToContainer([{ content: "a file", target: "/srv/dir/greeting" }]);
seen.copied = (await web.exec(["cat", "/srv/dir/greeting"])).output;
const exec = await web.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]);
seen.exec = { exitCode: exec.exitCode, output: exec.stdout, stderr: exec.stderr };
seen.environment = (await web.exec(["sh", "-c", 'echo "$KEY"'])).output.trim();
seen.health =
	(await web.exec(["wget", "-qO-", "http://127.0.0.1/index.html"])).exitCode === 0 ? "healthy" : "unhealthy";
seen.archive = await namesInArchive(await web.copyArchiveFromContainer("/srv/dir/greeting"));
seen.log = (await firstLine(await web.logs())).trim();
seen.address = /^\d+\.\d+\.\d+\.\d+$/.test(web.getIpAddress("bridge"));
await web.restart();
seen.afterRestart = await page(web);

const neverReady = new GenericContainer("busybox:latest")
	.withCommand(["sleep", "60"])
	.withWaitStrategy(Wait.forLogMessage("never said"))
	.withStartupTimeout(500);
seen.timeout = await assert.rejects(neverReady.start(), /not received after 500ms/).then(() => true);
const absent = new GenericContainer("localhost:1/no-such-image:1").start();
seen.missingImage = await absent.then(
	() => false,
	() => true,
);

await web.stop({ timeout: 1_000 });
seen.stopped = await page(web).then(
	() => false,
	() => true,
);
// Its HTTP agents keep connections open, so it would not end by itself.
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));

async function namesInArchive(stream) {
	const chunks = [];
	for await (const chunk of stream) chunks.push(chunk);
	const name = Buffer.concat(chunks).subarray(0, 100).toString();
	return [name.replace(/\0.*$/s, "")];
}

function firstLine(stream) {
	return new Promise((resolve, reject) => {
		stream.once("error", reject);
		stream.once("data", (chunk) => {
			resolve(chunk.toString().split("\n")[0]);
			stream.destroy();
		});
	});
}
