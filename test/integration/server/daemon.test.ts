import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand, waitFor } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";

const GANTRY = join(import.meta.dir, "../../../bin/gantry");
const GANTRYD = join(import.meta.dir, "../../../bin/gantryd");
const scratch = mkdtempSync(join(tmpdir(), "gantry-daemon-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A daemon that is expected to refuse to start. */
async function refusal(args: readonly string[]): Promise<string> {
	const config = join(scratch, "empty.json");
	writeFileSync(config, "{}");
	const result = await runCommand([GANTRYD, `--config-file=${config}`, ...args]);
	expect(result.code).toBe(1);
	return result.stderr;
}

function rootsOf(daemon: TestDaemon): string[] {
	return [`--data-root=${daemon.dataRoot}`, `--exec-root=${daemon.execRoot}`, `--host=${daemon.host}`];
}

describe("gantryd", () => {
	test("starts, answers, guards its roots, stops and leaves nothing but its data", async () => {
		const daemon = await TestDaemon.start();
		try {
			expect(statSync(daemon.socketPath).mode & 0o777).toBe(0o660);
			const pidFile = join(daemon.directory, "pid");
			expect(readFileSync(pidFile, "utf8")).toBe(String(daemon.pid));
			const other = join(scratch, "other");
			const elsewhere = [
				`--data-root=${other}/d`,
				`--exec-root=${other}/e`,
				`--host=unix://${other}/s`,
				`--pidfile=${other}/p`,
			];
			expect(await refusal([...elsewhere, `--pidfile=${pidFile}`])).toContain(`belongs to process ${daemon.pid}`);
			expect(await refusal([...elsewhere, `--data-root=${daemon.dataRoot}`])).toContain(
				`process ${daemon.pid} uses the data root`,
			);
			expect(await refusal([...elsewhere, `--exec-root=${daemon.execRoot}`])).toContain(
				`process ${daemon.pid} uses the exec root`,
			);
			expect(await refusal([...elsewhere, "--bridge=none", `--host=${daemon.host}`])).toContain(
				"another daemon answers on",
			);
			expect((await daemon.api("GET", "/_ping")).status).toBe(200);
			await daemon.stop();
			expect([existsSync(daemon.socketPath), existsSync(pidFile)]).toEqual([false, false]);
		} finally {
			await daemon[Symbol.asyncDispose]();
		}
	}, 60_000);

	test("takes over what a killed daemon left", async () => {
		await using daemon = await TestDaemon.start();
		await daemon.kill();
		expect(existsSync(daemon.socketPath)).toBe(true);
		await daemon.start();
		expect((await daemon.api("GET", "/_ping")).status).toBe(200);
	}, 60_000);

	test("reads its configuration again on SIGHUP, and keeps the old one when it is wrong", async () => {
		await using daemon = await TestDaemon.start({ config: { labels: ["a=1"] } });
		const labels = async () => ((await (await daemon.api("GET", "/info")).json()) as { Labels: string[] }).Labels;
		expect(await labels()).toEqual(["a=1"]);
		const path = join(daemon.directory, "daemon.json");
		writeFileSync(path, JSON.stringify({ labels: ["b=2"] }));
		process.kill(daemon.pid, "SIGHUP");
		await waitFor("the reload", () => daemon.log.includes("configuration was reloaded"), 10_000);
		expect(await labels()).toEqual(["b=2"]);
		writeFileSync(path, "{broken");
		process.kill(daemon.pid, "SIGHUP");
		await waitFor("the refusal", () => daemon.log.includes("configuration cannot be reloaded"), 10_000);
		expect(await labels()).toEqual(["b=2"]);
	}, 60_000);

	test("answers --help, --version and --validate without starting", async () => {
		const config = join(scratch, "valid.json");
		writeFileSync(config, '{"debug": true}');
		expect((await runCommand([GANTRYD, "--help"])).stdout).toContain("--data-root string");
		expect((await runCommand([GANTRYD, "--version"])).stdout).toMatch(/^Gantry version \d/);
		expect((await runCommand([GANTRYD, "--validate", `--config-file=${config}`])).stdout).toBe("configuration OK\n");
		writeFileSync(config, '{"debg": true}');
		const broken = await runCommand([GANTRYD, "--validate", `--config-file=${config}`]);
		expect([broken.code, broken.stderr]).toEqual([
			1,
			`gantryd: unable to configure the Gantry daemon with file ${config}: the following directives don't match any configuration option: debg\nSee 'gantryd --help'.\n`,
		]);
	});
});

describe("gantryd over TCP", () => {
	/** A CA, a server certificate for 127.0.0.1 and a client certificate. */
	async function makeCertificates(): Promise<string> {
		const directory = mkdtempSync(join(scratch, "tls-"));
		const openssl = async (...argv: string[]) => {
			const result = await runCommand(["openssl", ...argv], { cwd: directory });
			if (result.code !== 0) throw new Error(result.stderr);
		};
		await openssl(
			"req",
			"-x509",
			"-newkey",
			"rsa:2048",
			"-nodes",
			"-keyout",
			"ca-key.pem",
			"-out",
			"ca.pem",
			"-days",
			"2",
			"-subj",
			"/CN=test-ca",
		);
		for (const [name, extension] of [
			["server", "subjectAltName=IP:127.0.0.1"],
			["", "extendedKeyUsage=clientAuth"],
		] as const) {
			const prefix = name === "" ? "" : `${name}-`;
			writeFileSync(join(directory, "ext"), `${extension}\n`);
			await openssl(
				"req",
				"-newkey",
				"rsa:2048",
				"-nodes",
				"-keyout",
				`${prefix}key.pem`,
				"-out",
				"request.pem",
				"-subj",
				`/CN=${name}test`,
			);
			await openssl(
				"x509",
				"-req",
				"-in",
				"request.pem",
				"-CA",
				"ca.pem",
				"-CAkey",
				"ca-key.pem",
				"-CAcreateserial",
				"-out",
				`${prefix}cert.pem`,
				"-days",
				"2",
				"-extfile",
				"ext",
			);
			chmodSync(join(directory, `${prefix}key.pem`), 0o600);
		}
		return directory;
	}

	test("is refused without client certificates, unless that is said out loud", async () => {
		await using daemon = await TestDaemon.start();
		await daemon.stop();
		const message = await refusal([
			...rootsOf(daemon),
			`--pidfile=${daemon.directory}/pid`,
			"--bridge=none",
			"--host=tcp://127.0.0.1:0",
		]);
		expect(message).toContain("TCP without client certificates gives root on this machine");
		expect(existsSync(daemon.socketPath)).toBe(false);
	}, 60_000);

	test("serves clients with a certificate of the CA, and no others", async () => {
		const tls = await makeCertificates();
		const port = await freePort();
		await using daemon = await TestDaemon.start({
			args: [
				`--host=tcp://127.0.0.1:${port}`,
				"--tlsverify",
				`--tlscacert=${tls}/ca.pem`,
				`--tlscert=${tls}/server-cert.pem`,
				`--tlskey=${tls}/server-key.pem`,
			],
		});
		const curl = ["curl", "-sS", "--max-time", "10", "--cacert", `${tls}/ca.pem`, `https://127.0.0.1:${port}/_ping`];
		const anonymous = await runCommand(curl);
		expect([anonymous.code === 0, anonymous.stdout]).toEqual([false, ""]);
		const known = await runCommand([...curl, "--cert", `${tls}/cert.pem`, "--key", `${tls}/key.pem`]);
		expect(known.stdout).toBe("OK");
		await daemon.loadBusybox();
		const docker = [
			dockerClient ?? GANTRY,
			"--tlsverify",
			"--tlscacert",
			`${tls}/ca.pem`,
			"--tlscert",
			`${tls}/cert.pem`,
			"--tlskey",
			`${tls}/key.pem`,
			"-H",
			`tcp://127.0.0.1:${port}`,
		];
		const run = await runCommand([...docker, "run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo end"], {
			stdin: "through TLS\n",
		});
		expect([run.code, run.stdout]).toEqual([0, "through TLS\nend\n"]);
	}, 60_000);
});

async function freePort(): Promise<number> {
	const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	const { port } = listener;
	listener.stop(true);
	return port;
}

test("a client that connects and says nothing does not keep the daemon from stopping", async () => {
	await using daemon = await TestDaemon.start();
	const socket = connect({ path: daemon.socketPath });
	await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
	const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
	await daemon.stop();
	await closed;
}, 60_000);

test("--init reaps, hands on signals and exit codes", async () => {
	await using daemon = await TestDaemon.start();
	await daemon.loadBusybox();
	const docker = (...argv: string[]) => runCommand([dockerClient ?? GANTRY, "-H", daemon.host, ...argv]);
	const run = (...argv: string[]) => docker("run", "--rm", "--init", "busybox", ...argv);
	expect((await run("sh", "-c", "exit 7")).code).toBe(7);
	expect((await run("nosuch")).code).toBe(127);
	expect((await run("/etc")).code).toBe(126);
	expect((await run("sh", "-c", "kill -9 $$")).code).toBe(137);
	// The orphan's parent is process 1, which must collect it: no zombie is left to be seen.
	const orphans = await run("sh", "-c", "sh -c 'sleep 0.1 & exit' ; sleep 0.5; grep -l ^State:.Z /proc/[0-9]*/status");
	expect([orphans.code, orphans.stdout]).toEqual([1, ""]);
	await docker("run", "-d", "--init", "--name", "stopped", "busybox", "sleep", "60");
	await docker("stop", "--time", "20", "stopped");
	const inspect = await docker("inspect", "--format", "{{.State.ExitCode}} {{.HostConfig.Init}}", "stopped");
	expect(inspect.stdout).toBe("143 true\n");
}, 60_000);
