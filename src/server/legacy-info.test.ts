import { describe, expect, test } from "bun:test";
import type { InfoResponse } from "../api/engine/system.ts";
import { infoOf } from "./legacy-info.ts";

const INFO = {
	ID: "x",
	FirewallBackend: { Driver: "nftables" },
	RegistryConfig: { Mirrors: [] },
} as unknown as InfoResponse;

function keysAt(minor: number): string[] {
	const { RegistryConfig, ...info } = infoOf(INFO, { major: 1, minor });
	return [...Object.keys(info), ...Object.keys(RegistryConfig as object)].sort();
}

const BRIDGE = ["BridgeNfIp6tables", "BridgeNfIptables"];
const FOREIGN = ["AllowNondistributableArtifactsCIDRs", "AllowNondistributableArtifactsHostnames"];

describe("infoOf()", () => {
	for (const [minor, keys] of [
		[56, ["FirewallBackend", "ID", "Mirrors"]],
		[50, ["FirewallBackend", "ID", "Mirrors"]],
		[49, [...BRIDGE, "FirewallBackend", "ID", "Mirrors"]],
		[48, [...BRIDGE, "ID", "Mirrors"]],
		[46, [...FOREIGN, ...BRIDGE, "ID", "Mirrors"]],
		[41, [...FOREIGN, ...BRIDGE, "ID", "KernelMemory", "Mirrors"]],
	] as const)
		test(`has the fields of API 1.${minor}`, () => {
			expect(keysAt(minor)).toEqual([...keys]);
		});
});
