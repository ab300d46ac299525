import { expect, test } from "bun:test";
import { chooseGateways, type GatewayCandidate } from "./gateway-choice.ts";

const candidate = (networkName: string, change: Partial<GatewayCandidate> = {}): GatewayCandidate => ({
	networkName,
	internal: false,
	priority: 0,
	gateway: true,
	gateway6: false,
	...change,
});

const cases: readonly (readonly [string, readonly GatewayCandidate[], string | undefined, string | undefined])[] = [
	["the name decides between equals", [candidate("b"), candidate("a")], "a", undefined],
	["a higher priority beats the name", [candidate("a"), candidate("b", { priority: 1 })], "b", undefined],
	["a negative priority comes last", [candidate("a", { priority: -1 }), candidate("b")], "b", undefined],
	["an internal network is no way out", [candidate("a", { internal: true }), candidate("b")], "b", undefined],
	["nothing but internal networks: no way out", [candidate("a", { internal: true })], undefined, undefined],
	["both families beat one", [candidate("a"), candidate("b", { gateway6: true })], "b", "b"],
	["each family goes its own way", [candidate("a", { gateway: false, gateway6: true }), candidate("b")], "b", "a"],
];

for (const [name, candidates, v4, v6] of cases)
	test(`chooseGateways(): ${name}`, () => {
		const chosen = chooseGateways(candidates);
		expect([chosen.v4?.networkName, chosen.v6?.networkName]).toEqual([v4, v6]);
	});
