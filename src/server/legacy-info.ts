import type { InfoResponse } from "../api/engine/system.ts";
import { type ApiVersion, atLeast } from "../api/engine/version.ts";

/** Registries that were not to be sent foreign layers: gone from Docker, but not from answers before API 1.47. */
const NO_NONDISTRIBUTABLE = {
	AllowNondistributableArtifactsCIDRs: null,
	AllowNondistributableArtifactsHostnames: null,
};

/** `GET /info` in the shape of an API version: without the fields that came later, with those that have gone since. */
export function infoOf(info: InfoResponse, version: ApiVersion): Readonly<Record<string, unknown>> {
	if (atLeast(version, 50)) return { ...info };
	const { FirewallBackend, RegistryConfig, ...rest } = info;
	return {
		...rest,
		RegistryConfig: atLeast(version, 47) ? RegistryConfig : { ...Object(RegistryConfig), ...NO_NONDISTRIBUTABLE },
		...(atLeast(version, 49) ? { FirewallBackend } : {}),
		...(atLeast(version, 42) ? {} : { KernelMemory: false }),
		BridgeNfIptables: false,
		BridgeNfIp6tables: false,
	};
}
