import { describe, expect, test } from "bun:test";
import type { PortMap } from "../../api/engine/container.ts";
import type { PortMapping } from "../network/driver.ts";
import type { ContainerRecord } from "./container-record.ts";
import { planPortUpdate } from "./port-update.ts";

const mapping = (containerPort: number, hostPort: number, hostAddress = "0.0.0.0"): PortMapping => ({
	protocol: "tcp",
	containerPort,
	hostAddress,
	hostPort,
});
const record = (PortBindings: PortMap, mappings: readonly PortMapping[] = [], NetworkMode = "lab") =>
	({ id: "c", hostConfig: { PortBindings, NetworkMode }, mappings }) as unknown as ContainerRecord;
const bound = (...ports: string[]) => ports.map((HostPort) => ({ HostIp: "", HostPort }));

describe("planPortUpdate()", () => {
	test("says nothing when nothing is asked", () => {
		expect(planPortUpdate(record({}), {})).toBeUndefined();
		expect(planPortUpdate(record({}, [], "host"), { PublishAdd: null })).toBeUndefined();
	});

	test("adds to what is there", () => {
		const plan = planPortUpdate(record({ "80/tcp": bound("8080") }), { PublishAdd: { "80": bound("8081") } });
		expect(plan).toMatchObject({ bindings: { "80/tcp": bound("8080", "8081") }, added: { "80/tcp": bound("8081") } });
	});

	test("removes one binding of a port, by its host port, or all of them", () => {
		const published = record({ "80/tcp": bound("8080", "8081") }, [mapping(80, 8080), mapping(80, 8081)]);
		expect(planPortUpdate(published, { PublishRm: { "80/tcp": bound("8081") } })).toMatchObject({
			bindings: { "80/tcp": bound("8080") },
			removed: [mapping(80, 8081)],
		});
		expect(planPortUpdate(published, { PublishRm: { "80/tcp": [] } })).toMatchObject({
			bindings: {},
			removed: [mapping(80, 8080), mapping(80, 8081)],
		});
	});

	test("knows a binding to any port by the port that it got", () => {
		const plan = planPortUpdate(record({ "80/tcp": bound("") }, [mapping(80, 32768)]), {
			PublishRm: { "80/tcp": bound("32768") },
		});
		expect(plan).toMatchObject({ bindings: {}, removed: [mapping(80, 32768)] });
	});

	test("refuses what is not published, and containers without ports of their own", () => {
		expect(() => planPortUpdate(record({}), { PublishRm: { "81/tcp": bound("9") } })).toThrow(
			"port 9->81/tcp is not published",
		);
		expect(() => planPortUpdate(record({}, [], "container:x"), { PublishAdd: { "80/tcp": bound("1") } })).toThrow(
			"shares another network",
		);
	});
});
