import type { NetworkInspect } from "../../api/engine/network.ts";
import { truncateId } from "../formatter/human.ts";
import { type Fields, joinLabels } from "../formatter/rows.ts";

export function networkFields(isTruncated: boolean): Fields<NetworkInspect> {
	return {
		ID: { header: "NETWORK ID", value: ({ Id }) => (isTruncated ? truncateId(Id) : Id) },
		Name: { header: "NAME", value: ({ Name }) => Name },
		Driver: { header: "DRIVER", value: ({ Driver }) => Driver },
		Scope: { header: "SCOPE", value: ({ Scope }) => Scope },
		IPv4: { header: "IPV4", value: ({ EnableIPv4 }) => String(EnableIPv4 ?? true) },
		IPv6: { header: "IPV6", value: ({ EnableIPv6 }) => String(EnableIPv6) },
		Internal: { header: "INTERNAL", value: ({ Internal }) => String(Internal) },
		Labels: { header: "LABELS", value: ({ Labels }) => joinLabels(Labels) },
		Label: {
			header: "LABEL",
			value:
				({ Labels }) =>
				(name: string) =>
					Labels?.[name] ?? "",
			isHidden: true,
		},
		CreatedAt: { header: "CREATED AT", value: ({ Created }) => shownTime(Created) },
	};
}

/** `2026-11-21T16:30:46.750000000Z` as `2026-11-21 16:30:46.75 +0000 UTC`. */
export function shownTime(created: string): string {
	return created
		.replace("T", " ")
		.replace(/(\.\d*?)0*Z$/, (_all, fraction: string) => `${fraction === "." ? "" : fraction}Z`)
		.replace(/Z$/, " +0000 UTC");
}
