/** The default bridge and published ports: from the host, from other containers and from outside. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import { mustRun, runCommand, waitFor } from "../../support/commands.ts";
import { takeNetworkSlot } from "../../support/network-slots.ts";

const suite = ClientSuite.use();
const NAMESPACE = `gantry-out-${process.pid}`;
const LINK = `gto${process.pid % 100_000}`;
const slot = takeNetworkSlot();
const HOST_ADDRESS = slot.bridgeAddress.replace(/\/.*/, "");
const OUTSIDE_ADDRESS = HOST_ADDRESS.replace(/\.1$/, ".2");
/** Ports nobody else in these tests uses. */
const PORT = 28_000 + (process.pid % 500) * 8;

/** A network namespace that knows the host alone, as a machine on the same wire. */
beforeAll(async () => {
	const ip = (line: string) => mustRun(["ip", ...line.split(" ")]);
	await ip(`netns add ${NAMESPACE}`);
	await ip(`link add ${LINK} type veth peer name eth0 netns ${NAMESPACE}`);
	await ip(`addr add ${HOST_ADDRESS}/24 dev ${LINK}`);
	await ip(`link set ${LINK} up`);
	await ip(`-n ${NAMESPACE} addr add ${OUTSIDE_ADDRESS}/24 dev eth0`);
	await ip(`-n ${NAMESPACE} link set eth0 up`);
	await ip(`-n ${NAMESPACE} link set lo up`);
});

afterAll(async () => {
	await runCommand(["ip", "link", "delete", LINK]);
	await runCommand(["ip", "netns", "delete", NAMESPACE]);
	slot.release();
});

/** First line of the page at an address, undefined when it cannot be had. */
async function page(address: string, from: "host" | "outside" = "host"): Promise<string | undefined> {
	if (from === "outside") return await pageFromOutside(address);
	try {
		const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(2_000) });
		return (await response.text()).split("\n")[0];
	} catch {
		return undefined;
	}
}

async function pageFromOutside(address: string): Promise<string | undefined> {
	const [host, port] = address.split(":");
	const script = `exec 3<>/dev/tcp/${host}/${port}; printf 'GET / HTTP/1.0\r\n\r\n' >&3; sed '1,/^\r$/d' <&3`;
	const argv = ["ip", "netns", "exec", NAMESPACE, "timeout", "2", "bash", "-c", script];
	const { code, stdout } = await runCommand(argv);
	return code === 0 ? stdout.split("\n")[0] : undefined;
}

async function pageFromContainer(address: string): Promise<string> {
	return (await suite.sh(`timeout 3 wget -q -O - http://${address}/ | head -1`)).trim();
}

async function inspect(name: string, template: string): Promise<string> {
	return await suite.must(["inspect", "--format", template, name]);
}

const addressOf = (name: string) => inspect(name, "{{.NetworkSettings.IPAddress}}");
const PAGE = "<!doctype html>";

describe("containers on the bridge", () => {
	beforeAll(async () => {
		await suite.must(["run", "-d", "--name", "web", "busybox", "httpd", "-f", "-h", "/var/www"]);
		await waitFor("the page", async () => (await page(await addressOf("web"))) !== undefined);
	}, 20_000);
	afterAll(async () => {
		await suite.must(["rm", "-f", "web"]);
	});

	test("reach one another, and are reached from the host", async () => {
		const address = await addressOf("web");
		expect(await pageFromContainer(address)).toBe(PAGE);
		expect(await page(address)).toBe(PAGE);
	});

	test("reach the host by their gateway, and what is outside with the host's address", async () => {
		const gateway = await inspect("web", "{{.NetworkSettings.Gateway}}");
		const server = Bun.serve({ port: 0, hostname: "0.0.0.0", fetch: () => new Response("from the host") });
		try {
			expect(await pageFromContainer(`${gateway}:${server.port}`)).toBe("from the host");
		} finally {
			await server.stop(true);
		}
		// What is outside has no way back to the bridge's subnet: an answer can only come to the host's address.
		writeFileSync(join(suite.folder, "index.html"), "from outside");
		const argv = ["ip", "netns", "exec", NAMESPACE, "busybox", "httpd", "-f", "-p", "7777", "-h", suite.folder];
		const remote = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"] });
		try {
			await waitFor("the outside to answer", async () => (await page(`${OUTSIDE_ADDRESS}:7777`)) !== undefined);
			expect(await pageFromContainer(`${OUTSIDE_ADDRESS}:7777`)).toBe("from outside");
		} finally {
			remote.kill("SIGKILL");
			await remote.exited;
		}
	});
});

describe("a published port", () => {
	beforeAll(async () => {
		const ports = [`${PORT}:80`, `127.0.0.1:${PORT + 1}:80`, `${HOST_ADDRESS}:${PORT + 2}:80`, `[::1]:${PORT + 3}:80`];
		const options = [...ports, "80"].flatMap((port) => ["-p", port]);
		await suite.must(["run", "-d", "--name", "published", ...options, "busybox", "httpd", "-f", "-h", "/var/www"]);
		await waitFor("the page", async () => (await page(`127.0.0.1:${PORT}`)) !== undefined);
	}, 20_000);
	afterAll(async () => {
		await suite.must(["rm", "-f", "published"]);
	});

	test("is reached on 127.0.0.1, ::1, the host's address, from containers and from outside", async () => {
		expect(await page(`127.0.0.1:${PORT}`)).toBe(PAGE);
		expect(await page(`[::1]:${PORT}`)).toBe(PAGE);
		expect(await page(`${HOST_ADDRESS}:${PORT}`)).toBe(PAGE);
		expect(await page(`${HOST_ADDRESS}:${PORT}`, "outside")).toBe(PAGE);
		expect(await pageFromContainer(`${HOST_ADDRESS}:${PORT}`)).toBe(PAGE);
		const gateway = await inspect("published", "{{.NetworkSettings.Gateway}}");
		expect(await pageFromContainer(`${gateway}:${PORT}`)).toBe(PAGE);
		const itself = ["exec", "published", "wget", "-q", "-O", "-", `http://${HOST_ADDRESS}:${PORT}/`];
		expect(await suite.must(itself)).toStartWith(PAGE);
	});

	test("on one address is reached there alone", async () => {
		expect(await page(`127.0.0.1:${PORT + 1}`)).toBe(PAGE);
		expect(await page(`${HOST_ADDRESS}:${PORT + 1}`)).toBeUndefined();
		expect(await page(`${HOST_ADDRESS}:${PORT + 1}`, "outside")).toBeUndefined();
		expect(await page(`${HOST_ADDRESS}:${PORT + 2}`, "outside")).toBe(PAGE);
		expect(await page(`127.0.0.1:${PORT + 2}`)).toBeUndefined();
		expect(await page(`[::1]:${PORT + 3}`)).toBe(PAGE);
		expect(await page(`127.0.0.1:${PORT + 3}`)).toBeUndefined();
	});

	test("is shown by port, ps and inspect", async () => {
		const all = (await suite.must(["port", "published", "80"])).split("\n");
		for (const line of [`0.0.0.0:${PORT}`, `[::]:${PORT}`, `127.0.0.1:${PORT + 1}`, `[::1]:${PORT + 3}`])
			expect(all).toContain(line);
		const random = all.find((line) => line.startsWith("0.0.0.0:") && line !== `0.0.0.0:${PORT}`) ?? "";
		expect(await page(`127.0.0.1:${random.split(":")[1]}`)).toBe(PAGE);
		expect(await suite.must(["ps", "--filter", "name=published", "--format", "{{.Ports}}"])).toContain(
			`127.0.0.1:${PORT + 1}->80/tcp`,
		);
		expect(await suite.refusal(["port", "published", "81"])).toContain("No public port '81' published for published");
	});

	test("in use is an error that leaves nothing, and the container starts when it is free", async () => {
		const server = await listen(PORT + 5);
		try {
			const taken = [
				"run",
				"-d",
				"--name",
				"late",
				"-p",
				`${PORT + 5}:80`,
				"-p",
				`${PORT + 6}:81`,
				"busybox",
				"sleep",
				"9",
			];
			expect(await suite.refusal(taken)).toContain(`${PORT + 5}`);
			expect(await inspect("late", "{{.State.Status}} {{.NetworkSettings.IPAddress}}")).toBe("created ");
			const other = await suite.refusal(["run", "--rm", "-p", `127.0.0.1:${PORT + 1}:80`, "busybox", "true"]);
			expect(other).toContain(`Bind for 127.0.0.1:${PORT + 1} failed: port is already allocated`);
			const free = await listen(PORT + 6);
			await close(free);
		} finally {
			await close(server);
		}
		await suite.must(["start", "late"]);
		await suite.must(["rm", "-f", "late"]);
	});
});

test("a published UDP port hands datagrams over", async () => {
	const pid = async () => await suite.must(["inspect", "-f", "{{.State.Pid}}", "udp"]);
	await suite.must(["run", "-d", "--name", "udp", "-p", `${PORT + 7}:53/udp`, "busybox", "sleep", "100"]);
	// Busybox has no UDP server: one of ours answers in the container's network.
	const script = `Bun.udpSocket({ hostname: "0.0.0.0", port: 53, socket: { data(socket, data, port, address) { socket.send("echo " + data, port, address); } } })`;
	const server = Bun.spawn(["nsenter", "-t", await pid(), "-n", process.execPath, "-e", script], {
		stdio: ["ignore", "ignore", "inherit"],
	});
	try {
		for (const address of ["127.0.0.1", HOST_ADDRESS])
			expect(await waitFor("the answer", () => askUdp(address, PORT + 7))).toBe("echo ping");
		const outside = `exec 3<>/dev/udp/${HOST_ADDRESS}/${PORT + 7}; printf ping >&3; head -c 9 <&3`;
		expect(await mustRun(["ip", "netns", "exec", NAMESPACE, "timeout", "3", "bash", "-c", outside])).toBe("echo ping");
	} finally {
		server.kill("SIGKILL");
		await server.exited;
	}
	await suite.must(["rm", "-f", "udp"]);
});

/** The answer to "ping", undefined when none comes soon. */
async function askUdp(hostname: string, port: number): Promise<string | undefined> {
	const { promise, resolve } = Promise.withResolvers<string | undefined>();
	const socket = await Bun.udpSocket({
		connect: { hostname, port },
		socket: { data: (_socket, data) => resolve(data.toString()), error: () => resolve(undefined) },
	});
	const timer = setTimeout(() => resolve(undefined), 300);
	socket.send("ping");
	const answer = await promise;
	clearTimeout(timer);
	socket.close();
	return answer;
}

test("ranges, UDP, -P and --expose publish what they say", async () => {
	const ports = [
		"-p",
		`${PORT + 1}-${PORT + 3}:81-83`,
		"-p",
		`127.0.0.1:${PORT + 4}:53/udp`,
		"-P",
		"--expose",
		"70-71",
	];
	await suite.must(["run", "-d", "--name", "many", ...ports, "busybox", "sleep", "100"]);
	const lines = (await suite.must(["port", "many"])).split("\n");
	for (const step of [1, 2, 3]) expect(lines).toContain(`${80 + step}/tcp -> 0.0.0.0:${PORT + step}`);
	expect(lines.some((line) => /^70\/tcp -> 0\.0\.0\.0:\d+$/.test(line))).toBe(true);
	expect(lines).toContain(`53/udp -> 127.0.0.1:${PORT + 4}`);
	await suite.must(["stop", "-t", "0", "many"]);
	expect(await suite.must(["port", "many"])).toBe("");
	await suite.must(["start", "many"]);
	expect(await suite.must(["port", "many", "81"])).toContain(`0.0.0.0:${PORT + 1}`);
	await suite.must(["rm", "-f", "many"]);
});

test("ports that cannot be are refused in Docker's words", async () => {
	const cases: [string, string][] = [
		["80000:1", "invalid hostPort: 80000"],
		["1-3:1-2", "invalid ranges specified for container and host Ports: 1-2 and 1-3"],
		["300.1.1.1:1:1", "invalid IP address: 300.1.1.1"],
		["80/foo", "invalid proto: foo"],
		[`9.9.9.9:${PORT}:1`, "cannot assign requested address"],
		["80/sctp", "SCTP"],
	];
	for (const [port, message] of cases)
		expect((await suite.refusal(["run", "--rm", "-p", port, "busybox", "true"])).toLowerCase()).toContain(
			message.toLowerCase(),
		);
	expect(await suite.must(["ps", "-aq", "--filter", "status=created"])).toBe("");
});

function listen(port: number): Promise<Server> {
	const { promise, resolve, reject } = Promise.withResolvers<Server>();
	const server = createServer();
	server.once("error", reject);
	server.listen(port, "0.0.0.0", () => resolve(server));
	return promise;
}

function close(server: Server): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	server.close(() => resolve());
	return promise;
}
