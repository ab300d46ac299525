/** Images with Debian packages, on the base image that `gantry image bootstrap debian` makes: what tutorials build. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { TestContext } from "../../support/build-context.ts";
import { waitFor } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";
import { debianArchive } from "../../support/debian-image.ts";
import { whyNoPackages } from "../../support/package-mirror.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

/** Packages have to come over the network, on a machine that may have much else to do. */
const LONG_MS = 5 * 60_000;
const CLASSIC = { env: { DOCKER_BUILDKIT: "0" }, timeoutMs: LONG_MS };
const INSTALL = "apt-get install -y --no-install-recommends";

const missing = await whyNoPackages();
if (missing !== undefined) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)("Debian packages", () => {
	let daemon: TestDaemon;
	let registry: RegistryProcess;

	beforeAll(async () => {
		registry = await startRegistry();
		daemon = await TestDaemon.start();
		const { path } = await debianArchive();
		await daemon.mustGantry(["load", "-q", "-i", path]);
		await daemon.mustGantry(["tag", "debian:bookworm-slim", "debian:bookworm"]);
	}, LONG_MS);
	afterAll(async () => {
		await daemon.remove();
		await registry[Symbol.asyncDispose]();
	});

	const layersOf = async (image: string): Promise<string[]> =>
		JSON.parse(await daemon.mustDocker(["image", "inspect", "-f", "{{json .RootFS.Layers}}", image]));

	const application = (greeting: string) => [
		"from flask import Flask",
		"app = Flask(__name__)",
		'@app.route("/")',
		"def hello():",
		`    return "${greeting}"`,
		'app.run(host="0.0.0.0", port=5001)',
	];

	async function serve(image: string): Promise<string> {
		const container = await daemon.mustDocker(["run", "-d", "-p", "127.0.0.1::5001", image]);
		const address = await daemon.mustDocker(["port", container, "5001"]);
		const answer = async () => (await fetch(`http://${address}/`).catch(() => undefined))?.text();
		const page = await waitFor("Flask's page", answer, 30_000);
		await daemon.mustDocker(["rm", "-f", container]);
		return page;
	}

	test.concurrent(
		"a Flask application: changed, only its last layer is new, here and in the registry",
		async () => {
			const image = `${registry.host}/flask`;
			using context = new TestContext({
				Dockerfile: [
					"FROM debian:bookworm",
					`RUN apt-get update && ${INSTALL} python3-flask && rm -rf /var/lib/apt/lists/*`,
					"WORKDIR /app",
					"EXPOSE 5001",
					'CMD ["python3", "app.py"]',
					"COPY app.py /app/app.py",
				],
				"app.py": application("hello world!"),
			});
			await daemon.mustDocker(["build", "-t", `${image}:1`, context.directory], CLASSIC);
			expect(await serve(`${image}:1`)).toBe("hello world!");
			await daemon.mustDocker(["push", `${image}:1`], { timeoutMs: LONG_MS });

			context.write({ "app.py": application("hello again") });
			await daemon.mustGantry(["build", "-t", `${image}:2`, context.directory]);
			expect(await serve(`${image}:2`)).toBe("hello again");
			const [before, after] = [await layersOf(`${image}:1`), await layersOf(`${image}:2`)];
			expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
			const pushed = await daemon.mustDocker(["push", `${image}:2`], { timeoutMs: LONG_MS });
			expect(pushed.match(/: Layer already exists/g)?.length).toBe(before.length - 1);
			expect(pushed.match(/: Pushed/g)?.length).toBe(1);
		},
		LONG_MS,
	);

	test.concurrent.skipIf(dockerClient === undefined)(
		"nine layers of utilities, built by both clients once",
		async () => {
			const packages = ["jq", "less", "nano", "file", "tree", "bc", "zip", "unzip", "net-tools"];
			const installs = packages.map((name) => `RUN ${INSTALL} ${name}`);
			using context = new TestContext({
				Dockerfile: ["FROM debian:bookworm", "RUN apt-get update", ...installs, 'CMD ["jq", "--version"]'],
			});
			await daemon.mustGantry(["build", "-t", "utilities", context.directory], { timeoutMs: LONG_MS });
			const again = await daemon.mustDocker(["build", "-t", "utilities:classic", context.directory], CLASSIC);
			expect(again.match(/---> Using cache/g)?.length).toBe(11);
			expect((await layersOf("utilities")).length).toBe(11);
			expect(await layersOf("utilities:classic")).toEqual(await layersOf("utilities"));
			expect(await daemon.mustDocker(["run", "--rm", "utilities"])).toMatch(/^jq-1/);
			const found = await daemon.mustDocker(["run", "--rm", "utilities", "which", ...packages.slice(0, -1), "netstat"]);
			expect(found.split("\n").length).toBe(9);
		},
		LONG_MS,
	);
});
