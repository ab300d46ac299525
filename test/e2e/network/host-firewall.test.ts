/** A host with a firewall of its own: published ports do as it says, and ours is put back when it is swept away. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { HOST_ADDRESS, HOST_ADDRESS6, NetworkHost, OUTSIDE_ADDRESS } from "../../support/network-host.ts";

let host: NetworkHost;
let daemon: TestDaemon;
const PAGE = "<!doctype html>";
const WEB = ["busybox", "httpd", "-f", "-h", "/var/www"];

beforeAll(async () => {
	host = await NetworkHost.create();
	daemon = await TestDaemon.start({ wrapper: host.wrapper });
	await daemon.loadBusybox();
	await daemon.mustGantry(["network", "create", "--ipv6", "lab"]);
	await daemon.mustGantry(["run", "-d", "--name", "web", "--network", "lab", "-p", "8080:80", "-p", "8081:80", ...WEB]);
	await waitFor("the page", () => host.page(`http://${HOST_ADDRESS}:8080/`));
}, 60_000);
afterAll(async () => {
	try {
		await daemon.remove();
	} finally {
		await host[Symbol.asyncDispose]();
	}
});

const sees = async (port: number, from: "host" | "outside" = "outside") =>
	(await host.page(`http://${HOST_ADDRESS}:${port}/`, from)) === PAGE;

/** What ufw and its kin make: nothing comes in that is not allowed. Forwarding is left alone. */
const denyAll = (...allowed: string[]) =>
	host.nft(`table inet admin
delete table inet admin
table inet admin {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif lo accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		${allowed.join("\n\t\t")}
	}
}
`);

test("without rules of the host's every published port is open, in both families", async () => {
	expect(await sees(8080)).toBe(true);
	expect(await waitFor("IPv6", () => host.page(`http://[${HOST_ADDRESS6}]:8080/`))).toBe(PAGE);
	expect(await daemon.mustGantry(["info"])).toContain("Published ports: subject to the host's input rules");
});

test("a policy of drop closes them; an allowed port is open again, for whom it is allowed", async () => {
	await denyAll();
	expect(await sees(8080)).toBe(false);
	expect(await host.page(`http://[${HOST_ADDRESS6}]:8080/`)).toBeUndefined();
	expect(await sees(8080, "host")).toBe(true);
	await denyAll(`iifname "${host.uplink}" ip saddr ${OUTSIDE_ADDRESS} tcp dport 8080 accept`);
	expect(await sees(8080)).toBe(true);
	expect(await sees(8081)).toBe(false);
	// Also what iptables writes.
	await host.run("iptables-nft", "-I", "INPUT", "-p", "tcp", "--dport", "8080", "-j", "DROP");
	expect(await sees(8080)).toBe(false);
	await host.run("iptables-nft", "-D", "INPUT", "-p", "tcp", "--dport", "8080", "-j", "DROP");
	expect(await sees(8080)).toBe(true);
});

test("a firewall manager that sweeps everything away and writes its own again takes nothing of ours for long", async () => {
	await host.run("nft", "flush", "ruleset");
	await denyAll("tcp dport 8081 accept");
	await waitFor("our tables", async () => (await sees(8081)) && !(await sees(8080)));
	const table = `gantry-${daemon.bridge}`;
	expect(await host.run("nft", "list", "chain", "inet", "admin", "input")).toContain("policy drop");
	expect(await host.run("nft", "list", "table", "ip6", table)).toContain("@to_bridge");
	await waitFor("a word in the log", () => daemon.log.includes("somebody changed this daemon's firewall tables"));
});

test("hundreds of ports and many networks are put back once, not again and again", async () => {
	const networks = Array.from({ length: 24 }, (_, index) => `many${index}`);
	for (const [index, name] of networks.entries())
		await daemon.mustGantry(["network", "create", "--subnet", `10.215.${index}.0/24`, name]);
	await daemon.mustGantry([
		"run",
		"-d",
		"--name",
		"ports",
		"-p",
		"20000-20399:20000-20399",
		"busybox",
		"sleep",
		"1000",
	]);
	const restorations = () => daemon.log.split("they are put back").length - 1;
	const before = restorations();
	await host.nft("flush ruleset\n");
	await waitFor("the rules", async () => (await host.run("nft", "list", "ruleset")).includes("20399"));
	// The next one would come a second later.
	await Bun.sleep(2_500);
	expect(restorations() - before).toBe(1);
	await daemon.mustGantry(["rm", "-f", "ports"]);
	await daemon.mustGantry(["network", "rm", ...networks]);
}, 30_000);

test("while no daemon runs the host's word holds all the same", async () => {
	await daemon.kill();
	await denyAll();
	expect(await sees(8081)).toBe(false);
	await denyAll("tcp dport 8080 accept");
	expect(await sees(8080)).toBe(true);
	await daemon.start();
	expect(await sees(8080)).toBe(true);
});

test("a strict reverse path filter stops nobody", async () => {
	await host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1");
	expect(await sees(8080)).toBe(true);
	await host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0");
});

test("the daemon's log names chains of the host's that let no forwarded packet through, by policy or by a last rule", async () => {
	await host.nft(`table inet strict {
		chain by-policy { type filter hook forward priority 10; policy drop; }
		chain by-rule { type filter hook forward priority 10; ct state established accept; counter reject; }
		chain some { type filter hook forward priority 10; tcp dport 9 drop; }
	}
	`);
	await daemon.stop();
	await daemon.start();
	const warning = daemon.log.split("\n").findLast((line) => line.includes("drops forwarded packets"));
	expect(warning).toContain("by-policy");
	expect(warning).toContain("by-rule");
	expect(warning).not.toContain("some");
	await host.nft("delete table inet strict\n");
});

test("an operator may open published ports past the host's rules", async () => {
	await denyAll();
	await daemon.stop();
	const open = await TestDaemon.start({ wrapper: host.wrapper, args: ["--input-firewall=false"] });
	try {
		await open.loadBusybox();
		await open.mustGantry(["run", "-d", "--name", "web", "-p", "8090:80", ...WEB]);
		await waitFor("the page", () => host.page(`http://${HOST_ADDRESS}:8090/`));
		expect(await open.mustGantry(["info"])).toContain("open past the host's input rules");
	} finally {
		await open.remove();
	}
	await daemon.start();
});
