/**
 * Keeps the daemon's nftables tables equal to the networks and endpoints it knows. Each change is one transaction. When the
 * kernel's state turns out to be another than ours (somebody flushed the ruleset, a crash came between two steps), everything
 * is put there anew from what we know, in one transaction as well.
 */
import { errnoCode, SystemError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { BridgeNetwork } from "../../core/network/driver.ts";
import type { Nftables } from "../linux/nftables.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { baseRules, dropTable, networkRules, removeNetworkRules } from "./firewall-rules.ts";
import type { InputGate } from "./input-gate.ts";
import {
	elementCommands,
	type LedgerChange,
	PORT_MAPS,
	PORT_SETS,
	PortLedger,
	portElements,
	type TableFamily,
} from "./port-elements.ts";

/** What nft says of a base chain (libnftables-json(5)). */
interface ListedChain {
	readonly family: string;
	readonly table: string;
	readonly name: string;
	readonly hook?: string;
	readonly policy?: string;
}

interface ListedRule {
	readonly rule?: { readonly expr: readonly Readonly<Record<string, unknown>>[] };
}

const REFUSALS: ReadonlySet<string> = new Set(["drop", "reject"]);
const SIDE_EFFECTS: ReadonlySet<string> = new Set(["counter", "log"]);

/** Kernels without the module that copies packets. */
const NO_COPIES: readonly (string | undefined)[] = ["EOPNOTSUPP", "ENOENT"];

export interface FirewallOptions {
	readonly table: string;
	/** Those the kernel has: `ip6` is missing where IPv6 was switched off at boot. */
	readonly families: readonly TableFamily[];
	/** Published ports are reached at containers' own addresses by every interface. */
	readonly directRouting: boolean;
	/** Undefined: published ports are open whatever the host's input chains say. */
	readonly gate: InputGate | undefined;
	/** Makes the gate's interfaces when they are missing: rules name them by number. */
	readonly prepareGate: (gate: InputGate) => void;
}

export class Firewall {
	readonly #networks = new Map<string, BridgeNetwork>();
	readonly #ledger = new PortLedger();
	#gate: InputGate | undefined;

	constructor(
		private readonly nftables: Nftables,
		private readonly logger: Logger,
		private readonly options: FirewallOptions,
	) {
		this.#gate = options.gate;
	}

	/** `family name` of the tables. */
	get tables(): ReadonlySet<string> {
		return new Set(this.options.families.map((family) => `${family} ${this.options.table}`));
	}

	/** Whether published ports are subject to the host's input chains. */
	get hasGate(): boolean {
		return this.#gate !== undefined;
	}

	/**
	 * Takes over the tables of an earlier daemon: rules are renewed, ports of endpoints that are gone removed, those of
	 * living ones stay without a gap.
	 */
	initialize(endpoints: readonly EndpointState[]): void {
		const { table, families } = this.options;
		for (const endpoint of endpoints) this.#ledger.assign(endpoint.endpointId, this.#elementsOf(endpoint));
		this.#checkGate();
		const flush = families.flatMap((family) => [
			...PORT_MAPS.map((map) => `flush map ${family} ${table} ${map}\n`),
			...PORT_SETS.map((set) => `flush set ${family} ${table} ${set}\n`),
		]);
		this.#runOrReset(
			`${this.#base()}${flush.join("")}${elementCommands("add", table, this.#ledger.all())}`,
			"initialize",
		);
	}

	addNetwork(network: BridgeNetwork): void {
		this.#networks.set(network.id, network);
		this.#runOrReset(this.#networkText(network), "add network");
	}

	removeNetwork(network: BridgeNetwork): void {
		this.#networks.delete(network.id);
		const { table, families } = this.options;
		this.#runOrReset(families.map((family) => removeNetworkRules(table, family, network)).join(""), "remove network");
	}

	/**
	 * Makes these the endpoint's published ports, in one transaction. A port that another endpoint has, a dead one's as a rule,
	 * changes hands.
	 * @returns false when everything is so already
	 */
	publish(endpoint: EndpointState): boolean {
		return this.#apply(this.#ledger.assign(endpoint.endpointId, this.#elementsOf(endpoint)), "publish ports");
	}

	removeEndpoint(endpointId: string): void {
		this.#apply(this.#ledger.assign(endpointId, []), "remove endpoint");
	}

	/** Everything anew, in one transaction: connections that were made go on. @throws SystemError */
	restore(): void {
		this.#reset();
	}

	/** Chains of others that let no forwarded IPv4 packet through that they do not know, as `table chain`. */
	foreignForwardDrops(): string[] {
		return this.nftables.list("list chains").flatMap((item) => {
			const { chain } = item as { readonly chain?: ListedChain };
			if (chain?.hook !== "forward" || chain.table === this.options.table) return [];
			if (chain.family !== "ip" && chain.family !== "inet") return [];
			return chain.policy === "drop" || this.#endsInDrop(chain) ? [`${chain.table} ${chain.name}`] : [];
		});
	}

	/** As firewalld's: a policy of accept, and a last rule that refuses the rest. */
	#endsInDrop({ family, table, name }: ListedChain): boolean {
		// Names that nft's language cannot say are not worth an error at start.
		if (![table, name].every((each) => /^[A-Za-z_][\w.-]*$/.test(each))) return false;
		const items = this.#listChain(family, table, name);
		const last = items.findLast(({ rule }) => rule !== undefined)?.rule?.expr ?? [];
		const kinds = last.flatMap((expression) => Object.keys(expression));
		return (
			kinds.some((kind) => REFUSALS.has(kind)) && kinds.every((kind) => REFUSALS.has(kind) || SIDE_EFFECTS.has(kind))
		);
	}

	/** Nothing when the chain has gone since it was listed. */
	#listChain(family: string, table: string, name: string): readonly ListedRule[] {
		try {
			return this.nftables.list(`list chain ${family} ${table} ${name}`) as readonly ListedRule[];
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return [];
			throw error;
		}
	}

	/** Removes our tables. For tests and for a daemon that leaves nothing running. */
	drop(): void {
		const { table, families } = this.options;
		this.nftables.run(families.map((family) => dropTable(table, family)).join(""));
	}

	/** Where the kernel cannot copy packets there is no gate, and the daemon says so. */
	#checkGate(): void {
		const gate = this.#gate;
		if (gate === undefined) return;
		this.options.prepareGate(gate);
		const probe = `${this.options.table}-probe`;
		try {
			for (const family of this.options.families)
				this.nftables.run(`${baseRules(probe, family, gate)}${dropTable(probe, family)}`);
		} catch (error) {
			if (!NO_COPIES.includes(errnoCode(error))) throw error;
			this.#gate = undefined;
			this.logger.warn(
				"the kernel cannot copy packets (nft_dup): published ports are open whatever the host's input chains say",
			);
		}
	}

	#apply({ deleted, added }: LedgerChange, step: string): boolean {
		const { table } = this.options;
		const text = elementCommands("delete", table, deleted) + elementCommands("add", table, added);
		if (text === "") return false;
		this.#runOrReset(text, step);
		return true;
	}

	#elementsOf(endpoint: EndpointState) {
		const asked: EndpointState = this.options.directRouting ? { ...endpoint, direct: true } : endpoint;
		return portElements(asked).filter(({ family }) => this.options.families.includes(family));
	}

	#base(): string {
		const { table, families } = this.options;
		return families.map((family) => baseRules(table, family, this.#gate)).join("");
	}

	#networkText(network: BridgeNetwork): string {
		const { table, families, directRouting } = this.options;
		const asked: BridgeNetwork = directRouting ? { ...network, trustedInterfaces: ["*"] } : network;
		return families.map((family) => networkRules(table, family, asked)).join("");
	}

	#runOrReset(text: string, step: string): void {
		try {
			this.nftables.run(text);
		} catch (error) {
			this.logger.warn("firewall state was not as expected, installing it anew", { step, code: errnoCode(error) });
			this.#reset();
		}
	}

	#reset(): void {
		const { table, families, prepareGate } = this.options;
		const drop = families.map((family) => dropTable(table, family)).join("");
		const networks = [...this.#networks.values()].map((network) => this.#networkText(network)).join("");
		const elements = elementCommands("add", table, this.#ledger.all());
		try {
			if (this.#gate !== undefined) prepareGate(this.#gate);
			this.nftables.run(`${drop}${this.#base()}${networks}${elements}`);
		} catch (cause) {
			throw new SystemError("failed to install the firewall rules", { cause });
		}
	}
}
