/** Which of a container's networks is its way out. */
export interface GatewayCandidate {
	readonly networkName: string;
	readonly internal: boolean;
	/** `GwPriority`; the highest wins. */
	readonly priority: number;
	/** Whether the network has a way out for the family. */
	readonly gateway: boolean;
	readonly gateway6: boolean;
}

/**
 * For each family the first that has a gateway, in Docker's order: priority, not internal, both families before one, then the
 * network's name. Internal networks are nobody's way out.
 */
export function chooseGateways<T extends GatewayCandidate>(
	candidates: readonly T[],
): { readonly v4: T | undefined; readonly v6: T | undefined } {
	const ordered = candidates.filter(({ internal }) => !internal).sort(byPreference);
	return {
		v4: ordered.find(({ gateway }) => gateway),
		v6: ordered.find(({ gateway6 }) => gateway6),
	};
}

function byPreference(a: GatewayCandidate, b: GatewayCandidate): number {
	if (a.priority !== b.priority) return b.priority - a.priority;
	const families = familiesOf(b) - familiesOf(a);
	if (families !== 0) return families;
	return a.networkName < b.networkName ? -1 : 1;
}

function familiesOf({ gateway, gateway6 }: GatewayCandidate): number {
	return Number(gateway) + Number(gateway6);
}
