/** Ports that are published and taken back while the container runs. */
import { expect, test } from "bun:test";
import { ClientSuite } from "../../support/client-suite.ts";
import { waitFor } from "../../support/commands.ts";

const suite = ClientSuite.use();
const PORT = 29_000 + (process.pid % 200) * 4;
const update = (...args: string[]) => suite.daemon.mustGantry(["update", ...args, "web"]);
const ports = async () => (await suite.must(["port", "web"])).split("\n").filter((line) => line.includes("0.0.0.0"));
const page = async (address: string) => {
	const signal = AbortSignal.timeout(2000);
	const response = await fetch(`http://${address}/`, { keepalive: false, signal }).catch(() => undefined);
	return response === undefined ? undefined : (await response.text()).split("\n")[0];
};
const PAGE = "<!doctype html>";

test("a published port comes and goes with the container running, and after its next start, too", async () => {
	await suite.must(["network", "create", "lab"]);
	await suite.must(["run", "-d", "--name", "web", "--network", "lab", "busybox", "httpd", "-f", "-h", "/var/www"]);
	await update("--publish-add", `${PORT}:80`, "--publish-add", `127.0.0.1:${PORT + 1}:80`);
	expect(await waitFor("the page", () => page(`127.0.0.1:${PORT}`))).toBe(PAGE);
	expect(await page(`[::1]:${PORT}`)).toBe(PAGE);
	expect(await page(`127.0.0.1:${PORT + 1}`)).toBe(PAGE);
	expect(await ports()).toEqual([`80/tcp -> 0.0.0.0:${PORT}`]);

	await suite.daemon.kill();
	await suite.daemon.start();
	expect(await page(`127.0.0.1:${PORT}`)).toBe(PAGE);
	await update("--publish-rm", `127.0.0.1:${PORT + 1}:80`);
	expect(await page(`127.0.0.1:${PORT + 1}`)).toBeUndefined();
	// The host port goes from one container port to another in one step.
	await update("--publish-rm", `${PORT}:80`, "--publish-add", `${PORT}:81`, "--publish-add", `${PORT + 2}:80`);
	expect(await ports()).toEqual([`80/tcp -> 0.0.0.0:${PORT + 2}`, `81/tcp -> 0.0.0.0:${PORT}`]);
	expect(await page(`127.0.0.1:${PORT}`)).toBeUndefined();
	expect(await page(`127.0.0.1:${PORT + 2}`)).toBe(PAGE);

	await suite.must(["restart", "-t", "0", "web"]);
	expect(await waitFor("the page", () => page(`127.0.0.1:${PORT + 2}`))).toBe(PAGE);
	await update("--publish-rm", "80", "--publish-rm", "81");
	expect(await ports()).toEqual([]);
	expect(await page(`127.0.0.1:${PORT + 2}`)).toBeUndefined();
});

test("what cannot be published leaves everything as it was", async () => {
	await suite.must(["run", "-d", "--name", "other", "-p", `${PORT + 3}:80`, "busybox", "sleep", "1000"]);
	await update("--publish-add", `${PORT}:80`);
	const refused = async (...args: string[]) => (await suite.daemon.gantry(["update", ...args, "web"])).stderr;
	expect(await refused("--publish-rm", `${PORT}:80`, "--publish-add", `${PORT + 3}:80`)).toContain(
		"port is already allocated",
	);
	expect(await refused("--publish-rm", "82")).toContain("port 82/tcp is not published");
	expect(await ports()).toEqual([`80/tcp -> 0.0.0.0:${PORT}`]);
	expect(await page(`127.0.0.1:${PORT}`)).toBe(PAGE);
	await suite.must(["rm", "-f", "web", "other"]);
	await suite.must(["network", "rm", "lab"]);
});

test("a stopped container has its new ports at the next start", async () => {
	await suite.must(["create", "--name", "web", "busybox", "httpd", "-f", "-h", "/var/www"]);
	await update("--publish-add", `${PORT}:80`);
	await suite.must(["start", "web"]);
	expect(await waitFor("the page", () => page(`127.0.0.1:${PORT}`))).toBe(PAGE);
	await suite.must(["rm", "-f", "web"]);
});
