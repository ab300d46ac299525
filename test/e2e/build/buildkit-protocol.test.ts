/** BuildKit's API with an independent peer, for machines that have no client of it: `test/support/buildkit-peer.mjs`, which runs on Node. */
import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun, runCommand, waitFor } from "../../support/commands.ts";

const PEER = join(import.meta.dir, "../../support/buildkit-peer.mjs");

const suite = new BuildSuite();

interface Built {
	/** Of gRPC. */
	readonly code: number;
	readonly reason: string;
	readonly detail: string;
	readonly response: Readonly<Record<string, string>>;
	readonly names: readonly string[];
	readonly errors: readonly string[];
	readonly log: string;
	readonly statusCode: number;
	/** Of the client. */
	readonly asked: readonly string[];
}

async function peer<T = Built>(scenario: string): Promise<T> {
	return JSON.parse(await mustRun(["node", PEER, suite.daemon.socketPath, suite.context.directory, scenario])) as T;
}

describe("A client of BuildKit's API", () => {
	test("learns of the worker, and builds from its files and secrets", async () => {
		const content = randomBytes(3_000_000);
		writeFileSync(suite.context.path("file"), content);
		suite.context.write({
			Dockerfile: ["FROM busybox", "COPY file small /", "RUN --mount=type=secret,id=s echo the $(cat /run/secrets/s)"],
			small: "small",
			unused: "not sent",
			".dockerignore": "",
		});
		const seen = await peer<{
			version: string;
			platforms: string[];
			unknown: number;
			malformed: unknown[];
			built: Built;
			again: Built;
			asked: string[];
		}>("build");
		expect(seen.version).toMatch(/^v\d+\.\d+/);
		expect(seen.platforms[0]).toMatch(/^linux\//);
		expect([seen.unknown, seen.malformed]).toEqual([12, [2, "malformed protobuf message"]]);
		const { built, again } = seen;
		expect([built.code, built.reason, built.errors, built.statusCode]).toEqual([0, "", [], 0]);
		expect(built.names).toContain("[internal] load build definition from Dockerfile");
		expect(built.names).toContain("[2/3] COPY file small /");
		expect(built.log).toContain("the sesame\n");
		const digest = createHash("sha256").update(content).digest("hex");
		expect(await suite.run("peer:1", "sha256sum /file; cat /small")).toBe(`${digest}  /file\nsmall`);
		const id = await suite.daemon.mustDocker(["inspect", "-f", "{{.Id}}", "peer:1"]);
		expect(built.response["containerimage.digest"]).toBe(id);
		expect([again.code, again.response, again.log]).toEqual([0, built.response, ""]);
		// The second build asks for what there is, and for no contents but the Dockerfile's.
		const contents = seen.asked.filter((line) => line.startsWith("contents of "));
		expect(
			contents.filter((line) => line !== "contents of Dockerfile" && line !== "contents of .dockerignore").sort(),
		).toEqual(["contents of file", "contents of small"]);
		expect(seen.asked).toContain("files of context: file small");
		expect(seen.asked.filter((line) => line.startsWith("secret"))).toEqual(["secret s"]);
	});

	test("builds by a request, with its session or an archive", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "COPY file /"], file: "requested" });
		await mustRun(["tar", "-cf", "context.tar", "Dockerfile", "file"], { cwd: suite.context.directory });
		const seen = await peer<{ names: string[]; image: string; uploaded: string; quiet: unknown; failed: unknown }>(
			"request",
		);
		expect(seen.names).toContain("[2/2] COPY file /");
		for (const [name, image] of [
			["peer:2", seen.image],
			["peer:3", seen.uploaded],
		] as const)
			expect(await suite.daemon.mustDocker(["inspect", "-f", "{{.Id}}", name])).toBe(image);
		expect(await suite.run("peer:3", "cat /file")).toBe("requested");
		expect(seen.quiet).toEqual([{ stream: `${seen.uploaded}\n` }]);
		expect(seen.failed).toMatchObject({ error: expect.stringContaining("no session that offers its files") });
	});

	test("may look at a build that is over", async () => {
		suite.context.write({ Dockerfile: ["FROM scratch"] });
		expect(await peer("late")).toMatchObject({ code: 0, statusCode: 0 });
	});

	test("is told the Dockerfile's lines of a failure", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN echo said; exit 7"] });
		const { code, reason, detail, errors, log } = await peer("failure");
		expect([code, log]).toEqual([2, "said\n"]);
		expect(reason).toContain("exit code: 7");
		expect(errors.join()).toContain("exit code: 7");
		expect(detail).toContain("github.com/moby/buildkit/errdefs.Source+json");
		expect(detail).toContain('"ranges":[{"start":{"line":2},"end":{"line":2}}]');
	});

	test("cannot send another file than it has listed", async () => {
		suite.context.write({ Dockerfile: ["FROM scratch", "COPY file /"], file: "five." });
		const { code, reason } = await peer("liar");
		expect([code, reason]).toEqual([2, "file of the build context cannot be read, or has changed while it was sent"]);
	});

	test("cannot have graphs run", async () => {
		const { code, reason } = await peer("llb");
		expect([code, reason]).toEqual([12, "builds of LLB are not supported: only Dockerfiles are built"]);
	});

	for (const scenario of ["cut", "cancel"] as const)
		test(`stops its step when it is gone (${scenario})`, async () => {
			const marker = scenario === "cut" ? "3141" : "3142";
			suite.context.write({ Dockerfile: ["FROM busybox", `RUN echo begun; sleep ${marker}${process.pid}`] });
			const { statusCode } = await peer(scenario);
			expect(statusCode).toBe(0);
			await waitFor("the step to stop", async () => {
				const { stdout } = await runCommand(["pgrep", "-f", `^sleep ${marker}${process.pid}`]);
				return stdout === "";
			});
		});

	test("is refused without an upgrade, and without a session's ID", async () => {
		for (const [path, headers, message] of [
			["/grpc", {}, "no upgrade"],
			["/session", { Connection: "Upgrade", Upgrade: "h2c" }, "the session has no ID"],
		] as const) {
			const response = await fetch(`http://d${path}`, { unix: suite.daemon.socketPath, method: "POST", headers });
			expect([response.status, await response.text()]).toEqual([400, expect.stringContaining(message)]);
		}
	});

	test("may send HTTP/2 along with the request that asks for it", async () => {
		const socket = connect(suite.daemon.socketPath);
		const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
		let received = "";
		socket.on("data", (chunk: Buffer) => {
			received += chunk.toString("latin1");
		});
		const closed = new Promise((resolve) => socket.once("close", resolve));
		socket.write(`POST /grpc HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n${preface}`);
		// Settings of the server, and its acknowledgement of ours.
		await waitFor("the acknowledgement", () => received.includes("\0\0\0\x04\x01\0\0\0\0"));
		expect(received).toStartWith("HTTP/1.1 101 ");
		// A client that ends its side is let go.
		socket.end();
		await closed;
	});
});
