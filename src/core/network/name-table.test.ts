import { expect, test } from "bun:test";
import { type NamedEndpoint, NameTable } from "./name-table.ts";

let count = 0;
function endpoint(containerId: string, network: string, change: Partial<NamedEndpoint> = {}): NamedEndpoint {
	count++;
	return {
		endpointId: `endpoint-${count}`,
		containerId,
		networkId: `id-of-${network}`,
		networkName: network,
		names: [containerId],
		address: `10.0.0.${count}`,
		address6: "",
		links: {},
		...change,
	};
}

test("a container sees the names of its own networks alone", () => {
	const table = new NameTable();
	const web = endpoint("web", "front");
	for (const each of [web, endpoint("proxy", "front"), endpoint("db", "back")]) table.add(each);
	expect(table.resolve("proxy", "WEB", 4)).toEqual([web.address]);
	expect(table.resolve("proxy", "web.front", 4)).toEqual([web.address]);
	expect(table.resolve("db", "web", 4)).toBeUndefined();
	expect(table.resolve("db", "web.front", 4)).toBeUndefined();
	expect(table.resolve("stranger", "web", 4)).toBeUndefined();
});

test("a name without an address of the family is known all the same", () => {
	const table = new NameTable();
	table.add(endpoint("web", "front"));
	expect(table.resolve("web", "web", 6)).toEqual([]);
});

test("an alias of several stands for all of them, and goes with the last", () => {
	const table = new NameTable();
	const [a, b] = [endpoint("a", "front", { names: ["a", "api"] }), endpoint("b", "front", { names: ["b", "api"] })];
	table.add(a);
	table.add(b);
	expect(table.resolve("a", "api", 4)).toEqual([a.address, b.address]);
	table.remove(a.endpointId);
	expect(table.resolve("b", "api", 4)).toEqual([b.address]);
	table.remove(b.endpointId);
	table.remove(b.endpointId);
	expect(table.resolve("b", "api", 4)).toBeUndefined();
	expect(table.has("b")).toBe(false);
});

test("names and networks may have dots", () => {
	const table = new NameTable();
	const dotted = endpoint("a.b", "c.d");
	table.add(dotted);
	for (const name of ["a.b", "a.b.c.d"]) expect(table.resolve("a.b", name, 4)).toEqual([dotted.address]);
	expect(table.resolve("a.b", "a.b.c", 4)).toBeUndefined();
});

test("a link is this container's own name for another", () => {
	const table = new NameTable();
	const db = endpoint("postgres", "back");
	table.add(db);
	table.add(endpoint("app", "back", { links: { db: "postgres" } }));
	expect(table.resolve("app", "db", 4)).toEqual([db.address]);
	expect(table.resolve("postgres", "db", 4)).toBeUndefined();
	expect(table.resolve("app", "constructor", 4)).toBeUndefined();
});

test("an address has the name of its container and network, in any spelling", () => {
	const table = new NameTable();
	table.add(endpoint("web", "front", { address: "10.0.0.9", address6: "fd00::9" }));
	expect(table.reverse("web", "10.0.0.9")).toBe("web.front");
	expect(table.reverse("web", "fd00:0:0:0:0:0:0:0009")).toBe("web.front");
	expect(table.reverse("web", "10.0.0.8")).toBeUndefined();
	expect(table.reverse("stranger", "10.0.0.9")).toBeUndefined();
});

test("a renamed container is known by its new name only", () => {
	const table = new NameTable();
	const web = endpoint("web", "front");
	table.add(web);
	table.add({ ...web, names: ["site"] });
	expect(table.resolve("web", "site", 4)).toEqual([web.address]);
	expect(table.resolve("web", "web", 4)).toBeUndefined();
});

test("an address that passed on is not taken from its new owner by the old one's end", () => {
	const table = new NameTable();
	const old = endpoint("old", "front", { address: "10.0.0.9" });
	table.add(old);
	table.add(endpoint("new", "front", { address: "10.0.0.9" }));
	table.remove(old.endpointId);
	expect(table.reverse("new", "10.0.0.9")).toBe("new.front");
});
