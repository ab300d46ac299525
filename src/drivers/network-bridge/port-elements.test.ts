import { expect, test } from "bun:test";
import { elementCommands, PortLedger, portElements } from "./port-elements.ts";

const endpoint = (hostPort: number, address = "10.0.0.2", hostAddress = "0.0.0.0") => ({
	endpointId: address,
	containerId: "c",
	networkId: "n",
	hostInterface: "veth0",
	address: `${address}/24`,
	mappings: [{ protocol: "tcp" as const, containerPort: 80, hostAddress, hostPort }],
});
const text = ({ deleted, added }: ReturnType<PortLedger["assign"]>) =>
	elementCommands("delete", "t", deleted) + elementCommands("add", "t", added);

test("a port costs one element in each collection, and all of a collection one command", () => {
	const elements = [8080, 8081].flatMap((port) => portElements(endpoint(port)));
	expect(elementCommands("add", "t", elements)).toBe(
		"add element ip t published { tcp . 8080 : 10.0.0.2 . 80, tcp . 8081 : 10.0.0.2 . 80 }\nadd element ip t gated { tcp . 8080, tcp . 8081 }\n",
	);
	expect(portElements(endpoint(8080, "10.0.0.2", "127.0.0.1")).map(({ key }) => key)).toEqual([
		"127.0.0.1 . tcp . 8080",
		"127.0.0.1 . tcp . 8080",
	]);
});

test("a port of IPv6 to a container without IPv6 has no element", () => {
	expect(portElements(endpoint(8080, "10.0.0.2", "::"))).toEqual([]);
});

test("a routed family's port is opened, not published; a trusted one's is both", () => {
	expect(portElements({ ...endpoint(0), routed: [4] })).toEqual([
		{ family: "ip", collection: "opened", key: "10.0.0.2 . tcp . 80" },
	]);
	expect(portElements({ ...endpoint(1), direct: true }).map(({ collection }) => collection)).toEqual([
		"published",
		"gated",
		"opened",
	]);
});

test("a ledger says what changes, and nothing when nothing does", () => {
	const ledger = new PortLedger();
	const [a, b] = [endpoint(8080), endpoint(8080, "10.0.0.3")];
	expect(text(ledger.assign("a", portElements(a)))).toContain(
		"add element ip t published { tcp . 8080 : 10.0.0.2 . 80 }",
	);
	expect(text(ledger.assign("a", portElements(a)))).toBe("");
	expect(text(ledger.assign("b", portElements(b)))).toBe(
		"delete element ip t published { tcp . 8080 }\ndelete element ip t gated { tcp . 8080 }\nadd element ip t published { tcp . 8080 : 10.0.0.3 . 80 }\nadd element ip t gated { tcp . 8080 }\n",
	);
	expect(text(ledger.assign("a", []))).toBe("");
	expect(text(ledger.assign("b", []))).toContain("delete element ip t published { tcp . 8080 }");
	expect(ledger.all()).toEqual([]);
});
