import { type Digest, sha256 } from "../../base/digest.ts";

/** Chain ID of a layer on top of a stack (OCI image specification, "Layer ChainID"). */
export function chainId(parent: Digest | undefined, diffId: Digest): Digest {
	return parent === undefined ? diffId : sha256(`${parent} ${diffId}`);
}

/** Chain IDs of a whole stack, lowest first. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
	const chain: Digest[] = [];
	for (const diffId of diffIds) chain.push(chainId(chain.at(-1), diffId));
	return chain;
}
