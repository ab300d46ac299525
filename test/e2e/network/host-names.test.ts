/** Names of containers for programs of the host, on a machine of its own: namespaces with a resolv.conf that nobody else has. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DNS_RCODE, DNS_TYPE, encodeReply, parseQuery } from "../../../src/core/network/dns-message.ts";
import { runCommand, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-names-"));
const resolvConf = join(folder, "resolv.conf");
const SERVER = "127.99.0.53";
const ORIGINAL = "# the administrator's\nnameserver 127.99.0.1\n";
const OPTIONS = ["--host-dns", `--host-dns-address=${SERVER}`, "--host-dns-resolv-conf"];
const NAMESPACES = [
	"unshare",
	"-m",
	"--propagation",
	"slave",
	"sh",
	"-c",
	`mount --bind ${resolvConf} /etc/resolv.conf; exec "$@"`,
	"sh",
];
let daemon: TestDaemon;

beforeAll(async () => {
	writeFileSync(resolvConf, ORIGINAL);
	daemon = await TestDaemon.start({ args: OPTIONS, wrapper: NAMESPACES });
	await daemon.loadBusybox();
}, 60_000);
afterAll(async () => {
	await daemon.remove();
	rmSync(folder, { recursive: true });
});

/** What a program of the host finds: glibc's resolver, with that resolv.conf. */
async function lookUp(name: string, database = "ahostsv4"): Promise<string[]> {
	const { stdout } = await runCommand([...NAMESPACES, "getent", database, name]);
	return [...new Set(stdout.split("\n").flatMap((line) => line.split(/\s+/)[0] ?? []))].filter((line) => line !== "");
}
const addressOf = async (name: string, network: string) =>
	await daemon.mustGantry(["inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name]);

test("containers are found by name, by name and network, and by alias, those of the default network, too", async () => {
	await daemon.mustGantry(["network", "create", "lab"]);
	const web = ["busybox", "httpd", "-f", "-h", "/var/www"];
	await daemon.mustGantry(["run", "-d", "--name", "web", "--network", "lab", "--network-alias", "site", ...web]);
	await daemon.mustGantry(["run", "-d", "--name", "plain", ...web]);
	const address = await addressOf("web", "lab");
	for (const name of ["web.gantry.internal", "WEB.lab.gantry.internal", "site.gantry.internal"])
		expect(await lookUp(name)).toEqual([address]);
	expect(await lookUp("plain.gantry.internal")).toEqual([await addressOf("plain", "bridge")]);
	expect(await lookUp("nobody.gantry.internal")).toEqual([]);
	const { stdout } = await runCommand([...NAMESPACES, "getent", "hosts", address]);
	expect(stdout).toContain("web.lab.gantry.internal");
	const page = await waitFor("the page", async () => {
		const { code, stdout: text } = await runCommand([...NAMESPACES, "curl", "-s", "http://web.gantry.internal/"]);
		return code === 0 ? text : undefined;
	});
	expect(page).toStartWith("<!doctype html>");
});

test("containers themselves see no more than before, and other names go where they went", async () => {
	const upstream = await Bun.udpSocket({
		hostname: "127.99.0.1",
		port: 53,
		socket: {
			data(socket, message, port, address) {
				const query = parseQuery(message);
				if (query === undefined || query === "malformed") return;
				const isKnown = query.name === "other.example" && query.type === DNS_TYPE.A;
				const answer = isKnown ? { rcode: 0, addresses: ["192.0.2.7"] } : { rcode: DNS_RCODE.nameError };
				socket.send(encodeReply(message, query, { ttlSeconds: 1, ...answer }, 512), port, address);
			},
		},
	});
	try {
		expect(await lookUp("other.example")).toEqual(["192.0.2.7"]);
		const inside = await daemon.gantry(["exec", "web", "nslookup", "plain.gantry.internal"]);
		expect(inside.code).not.toBe(0);
		expect(inside.stdout).toContain("NXDOMAIN");
		expect(await daemon.mustGantry(["exec", "web", "nslookup", "-type=a", "other.example"])).toContain("192.0.2.7");
	} finally {
		upstream.close();
	}
});

test("the file is as it was when the daemon stops, and after a crash when it starts again", async () => {
	const ours = () => readFileSync(resolvConf, "utf8");
	expect(ours()).toEndWith(`nameserver ${SERVER}\n${ORIGINAL}`);
	await daemon.kill();
	expect(ours()).toContain(SERVER);
	// Somebody else writes it meanwhile: that stays.
	writeFileSync(resolvConf, `${ours()}search example.org\n`);
	await daemon.start();
	expect(ours()).toEndWith(`nameserver ${SERVER}\n${ORIGINAL}search example.org\n`);
	expect(ours().split(SERVER)).toHaveLength(2);
	expect(await lookUp("web.gantry.internal")).toEqual([await addressOf("web", "lab")]);
	await daemon.stop();
	expect(ours()).toBe(`${ORIGINAL}search example.org\n`);
	await daemon.start();
});
