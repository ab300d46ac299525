import { describe, expect, test } from "bun:test";
import { ownHostsEntry, parseExtraHosts, renderHostsFile } from "./hosts-file.ts";
import { macAddressFor, parseMacAddress } from "./mac-address.ts";
import { FALLBACK_NAMESERVERS, parseResolvConf, renderResolvConf, resolvConfForContainer } from "./resolv-conf.ts";

test("the hosts file has the local names, then the given ones", () => {
	const text = renderHostsFile([
		...parseExtraHosts(["a:1.2.3.4", "six:[::1]", "g:host-gateway"], ["172.17.0.1"]),
		ownHostsEntry("172.17.0.2", "web", "example.org"),
	]);
	expect(text).toBe(
		"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n" +
			"ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n1.2.3.4\ta\n::1\tsix\n172.17.0.1\tg\n172.17.0.2\tweb.example.org web\n",
	);
});

test("a wrong extra host is refused; one that would add a line too", () => {
	expect(() => parseExtraHosts(["bad"], [])).toThrow('bad format for add-host: "bad"');
	expect(() => parseExtraHosts(["x:nope"], [])).toThrow('invalid IP address in add-host: "nope"');
	expect(() => parseExtraHosts(["x\n1.2.3.4 y:1.2.3.4"], [])).toThrow("bad format");
	expect(() => parseExtraHosts(["x:host-gateway"], [])).toThrow("host-gateway");
});

const HOST =
	"# c\nnameserver 127.0.0.53 ; x\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver fd00::53\ndomain old\nsearch a b\noptions ndots:2 trust-ad\n";

describe("resolv.conf", () => {
	const host = parseResolvConf(HOST);
	test("servers a container cannot reach are left out", () => {
		const options = { sharesHostNetwork: false, hasIpv6: false };
		expect(resolvConfForContainer(host, options)).toEqual({
			nameservers: ["10.0.0.1"],
			search: ["a", "b"],
			options: ["ndots:2", "trust-ad"],
		});
		expect(resolvConfForContainer(host, { ...options, hasIpv6: true }).nameservers).toEqual(["10.0.0.1", "fd00::53"]);
		const none = parseResolvConf("nameserver ::1\n");
		expect(resolvConfForContainer(none, options).nameservers).toEqual(FALLBACK_NAMESERVERS);
	});

	test("on the host's network everything stays", () => {
		expect(resolvConfForContainer(host, { sharesHostNetwork: true, hasIpv6: false })).toEqual(host);
	});

	test("what the user gives replaces the host's, and a dot clears the search list", () => {
		const overrides = { nameservers: ["127.0.0.1"], search: ["."], options: [] };
		const settled = resolvConfForContainer(host, { overrides, sharesHostNetwork: false, hasIpv6: false });
		expect(renderResolvConf(settled).split("\n").slice(1)).toEqual([
			"nameserver 127.0.0.1",
			"options ndots:2 trust-ad",
			"",
		]);
	});
});

test("MAC addresses follow from the IPv4 address; given ones are checked", () => {
	expect(macAddressFor("172.17.0.2")).toBe("02:42:ac:11:00:02");
	expect(parseMacAddress("92-D0-C6-0A-29-33")).toBe("92:d0:c6:0a:29:33");
	for (const bad of ["zz", "92:d0:c6:0a:29", "92:d0:c6:0a:29:33:44", "92:d0-c6:0a:29:33", ""])
		expect(() => parseMacAddress(bad)).toThrow(`${bad} is not a valid mac address`);
});
