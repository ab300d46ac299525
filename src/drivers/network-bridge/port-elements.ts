/** Published ports as elements of the tables' maps and sets, and who they belong to. */
import type { PortMapping } from "../../core/network/driver.ts";
import { isUnspecified, parseIp } from "../../core/network/ip-address.ts";
import type { EndpointState } from "./endpoint-state.ts";

export type TableFamily = "ip" | "ip6";

/**
 * Where elements are. `published`, `published_at`: host port to container, for all addresses of the host and for one of them.
 * `gated`, `gated_at`: the same ports for the input gate. `opened`: container ports that may be called by the container's own
 * address, on routed networks and by trusted interfaces.
 */
export const PORT_MAPS = ["published", "published_at"] as const;
export const PORT_SETS = ["gated", "gated_at", "opened"] as const;
type PortCollection = (typeof PORT_MAPS)[number] | (typeof PORT_SETS)[number];

export interface PortElement {
	readonly family: TableFamily;
	readonly collection: PortCollection;
	/** `tcp . 8080` or `127.0.0.1 . tcp . 8080`. */
	readonly key: string;
	/** `172.17.0.2 . 80`; absent for an element of a set. */
	readonly value?: string;
}

/** Elements of an endpoint. A mapping the container has no address for (IPv6 to an IPv4-only one) is left to the relays. */
export function portElements(endpoint: EndpointState): PortElement[] {
	return endpoint.mappings.flatMap((mapping) => {
		const host = parseIp(mapping.hostAddress);
		const family: TableFamily = host.family === 4 ? "ip" : "ip6";
		const address = (family === "ip" ? endpoint.address : endpoint.address6)?.split("/")[0];
		if (address === undefined) return [];
		const opened = openedPort(family, address, mapping);
		if (endpoint.routed?.includes(host.family) === true) return opened;
		const isAny = isUnspecified(host);
		const port = `${mapping.protocol} . ${mapping.hostPort}`;
		const key = isAny ? port : `${mapping.hostAddress} . ${port}`;
		const value = `${address} . ${mapping.containerPort}`;
		return [
			{ family, collection: isAny ? "published" : "published_at", key, value },
			{ family, collection: isAny ? "gated" : "gated_at", key },
			...(endpoint.direct === true ? [opened] : []),
		];
	});
}

function openedPort(family: TableFamily, address: string, { protocol, containerPort }: PortMapping): PortElement {
	return { family, collection: "opened", key: `${address} . ${protocol} . ${containerPort}` };
}

/** One command for each collection, however many elements. */
export function elementCommands(verb: "add" | "delete", table: string, elements: Iterable<PortElement>): string {
	const byCollection = new Map<string, string[]>();
	for (const { family, collection, key, value } of elements) {
		const at = `${family} ${table} ${collection}`;
		const text = verb === "delete" || value === undefined ? key : `${key} : ${value}`;
		const list = byCollection.get(at);
		if (list === undefined) byCollection.set(at, [text]);
		else list.push(text);
	}
	return [...byCollection].map(([at, texts]) => `${verb} element ${at} { ${texts.join(", ")} }\n`).join("");
}

interface OwnedElement {
	readonly owner: string;
	readonly element: PortElement;
}

/** What to do to the kernel's collections. Deletions come first: an element changes hands by being replaced. */
export interface LedgerChange {
	readonly deleted: readonly PortElement[];
	readonly added: readonly PortElement[];
}

/** Which element belongs to which endpoint. One key has one owner: the endpoint that got the port last. */
export class PortLedger {
	readonly #elements = new Map<string, OwnedElement>();
	readonly #byOwner = new Map<string, Set<string>>();

	/** Makes these the owner's elements and no others. Those that another endpoint has change hands. */
	assign(owner: string, elements: readonly PortElement[]): LedgerChange {
		const wanted = new Map(elements.map((element) => [idOf(element), element]));
		const deleted: PortElement[] = [];
		const added: PortElement[] = [];
		for (const id of this.#byOwner.get(owner) ?? []) {
			const present = this.#elements.get(id)?.element;
			if (present === undefined || (wanted.has(id) && wanted.get(id)?.value === present.value)) continue;
			deleted.push(present);
			this.#drop(id);
		}
		for (const [id, element] of wanted) {
			const present = this.#elements.get(id);
			if (present?.owner === owner) continue;
			if (present !== undefined) {
				deleted.push(present.element);
				this.#drop(id);
			}
			added.push(element);
			this.#elements.set(id, { owner, element });
			const own = this.#byOwner.get(owner);
			if (own === undefined) this.#byOwner.set(owner, new Set([id]));
			else own.add(id);
		}
		return { deleted, added };
	}

	all(): PortElement[] {
		return [...this.#elements.values()].map(({ element }) => element);
	}

	#drop(id: string): void {
		const owner = this.#elements.get(id)?.owner ?? "";
		this.#elements.delete(id);
		const own = this.#byOwner.get(owner);
		own?.delete(id);
		if (own?.size === 0) this.#byOwner.delete(owner);
	}
}

function idOf({ family, collection, key }: PortElement): string {
	return `${family} ${collection} ${key}`;
}
