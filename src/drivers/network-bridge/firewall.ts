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
import {
	addElement,
	baseRules,
	deleteElement,
	dropTable,
	elementId,
	networkRules,
	type PortElement,
	portElements,
	removeNetworkRules,
	type TableFamily,
} from "./firewall-rules.ts";

/** What nft says of a base chain (libnftables-json(5)). */
interface ListedChain {
	readonly family: string;
	readonly table: string;
	readonly name: string;
	readonly hook?: string;
	readonly policy?: string;
}

interface OwnedElement {
	readonly owner: string;
	readonly element: PortElement;
}

export class Firewall {
	readonly #networks = new Map<string, BridgeNetwork>();
	/** By element ID. One key has one owner: the endpoint that reserved the port last. */
	readonly #elements = new Map<string, OwnedElement>();

	constructor(
		private readonly nftables: Nftables,
		private readonly table: string,
		private readonly logger: Logger,
		/** Those the kernel has: `ip6` is missing where IPv6 was switched off at boot. */
		private readonly families: readonly TableFamily[],
	) {}

	/**
	 * Takes over the tables of an earlier daemon: rules are renewed, ports of endpoints that are gone removed, those of
	 * living ones stay without a gap.
	 */
	initialize(endpoints: readonly EndpointState[]): void {
		for (const endpoint of endpoints)
			for (const element of this.#elementsOf(endpoint)) this.#own(endpoint.endpointId, element);
		const flush = this.families.flatMap((family) => [
			`flush map ${family} ${this.table} published`,
			`flush map ${family} ${this.table} published_at`,
			`flush set ${family} ${this.table} opened`,
		]);
		const elements = [...this.#elements.values()].map(({ element }) => addElement(this.table, element));
		this.#runOrReset(`${this.#base()}${flush.join("\n")}\n${elements.join("")}`, "initialize");
	}

	addNetwork(network: BridgeNetwork): void {
		this.#networks.set(network.id, network);
		this.#runOrReset(this.#networkText(network), "add network");
	}

	removeNetwork(network: BridgeNetwork): void {
		this.#networks.delete(network.id);
		const text = this.families.map((family) => removeNetworkRules(this.table, family, network)).join("");
		this.#runOrReset(text, "remove network");
	}

	/** Publishes the endpoint's ports. A port that a dead endpoint left behind changes hands in the same transaction. */
	addEndpoint(endpoint: EndpointState): void {
		const elements = this.#elementsOf(endpoint);
		if (elements.length === 0) return;
		const stale = elements.flatMap((element) => this.#elements.get(elementId(element))?.element ?? []);
		for (const element of elements) this.#own(endpoint.endpointId, element);
		const text = [
			...stale.map((element) => deleteElement(this.table, element)),
			...elements.map((element) => addElement(this.table, element)),
		];
		this.#runOrReset(text.join(""), "add endpoint");
	}

	/**
	 * Other ports for an endpoint that has some, in one transaction. Those that another endpoint has change hands.
	 * @returns false when everything is so already
	 */
	replaceEndpoint(endpoint: EndpointState): boolean {
		const before = [...this.#elements].filter(([, { owner }]) => owner === endpoint.endpointId);
		const wanted = this.#elementsOf(endpoint);
		const isThere = (element: PortElement) =>
			before.some(([id, owned]) => id === elementId(element) && owned.element.value === element.value);
		if (before.length === wanted.length && wanted.every(isThere)) return false;
		const stale = new Map(before.map(([id, { element }]) => [id, element]));
		for (const element of wanted) {
			const taken = this.#elements.get(elementId(element))?.element;
			if (taken !== undefined) stale.set(elementId(taken), taken);
		}
		for (const [id] of before) this.#elements.delete(id);
		for (const element of wanted) this.#own(endpoint.endpointId, element);
		const text = [
			...[...stale.values()].map((element) => deleteElement(this.table, element)),
			...wanted.map((element) => addElement(this.table, element)),
		].join("");
		if (text !== "") this.#runOrReset(text, "replace endpoint");
		return true;
	}

	removeEndpoint(endpointId: string): void {
		const own = [...this.#elements].filter(([, { owner }]) => owner === endpointId);
		if (own.length === 0) return;
		for (const [id] of own) this.#elements.delete(id);
		this.#runOrReset(own.map(([, { element }]) => deleteElement(this.table, element)).join(""), "remove endpoint");
	}

	/** Chains of others that drop what they do not know of forwarded IPv4 packets, as `table chain`. */
	foreignForwardDrops(): string[] {
		return this.nftables.list("list chains").flatMap((item) => {
			const { chain } = item as { readonly chain?: ListedChain };
			if (chain?.hook !== "forward" || chain.policy !== "drop" || chain.table === this.table) return [];
			return chain.family === "ip" || chain.family === "inet" ? [`${chain.table} ${chain.name}`] : [];
		});
	}

	/** Removes our tables. For tests and for a daemon that leaves nothing running. */
	drop(): void {
		this.nftables.run(this.families.map((family) => dropTable(this.table, family)).join(""));
	}

	#elementsOf(endpoint: EndpointState): PortElement[] {
		return portElements(endpoint).filter(({ family }) => this.families.includes(family));
	}

	#own(owner: string, element: PortElement): void {
		this.#elements.set(elementId(element), { owner, element });
	}

	#base(): string {
		return this.families.map((family) => baseRules(this.table, family)).join("");
	}

	#networkText(network: BridgeNetwork): string {
		return this.families.map((family) => networkRules(this.table, family, network)).join("");
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
		const drop = this.families.map((family) => dropTable(this.table, family)).join("");
		const networks = [...this.#networks.values()].map((network) => this.#networkText(network)).join("");
		const elements = [...this.#elements.values()].map(({ element }) => addElement(this.table, element)).join("");
		try {
			this.nftables.run(`${drop}${this.#base()}${networks}${elements}`);
		} catch (cause) {
			throw new SystemError("failed to install the firewall rules", { cause });
		}
	}
}
