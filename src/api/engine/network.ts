import type { StringMap } from "./container.ts";

export interface IpamConfig {
	Subnet?: string;
	IPRange?: string;
	Gateway?: string;
	AuxiliaryAddresses?: StringMap;
}

export interface NetworkInspect {
	Name: string;
	Id: string;
	Created: string;
	Scope: string;
	Driver: string;
	EnableIPv4: boolean;
	EnableIPv6: boolean;
	IPAM: { Driver: string; Options: StringMap | null; Config: IpamConfig[] | null };
	Internal: boolean;
	Attachable: boolean;
	Ingress: boolean;
	ConfigFrom: { Network: string };
	ConfigOnly: boolean;
	Containers: Record<
		string,
		{ Name: string; EndpointID: string; MacAddress: string; IPv4Address: string; IPv6Address: string }
	>;
	Options: StringMap;
	Labels: StringMap;
}

export interface NetworkCreateRequest {
	Name: string;
	CheckDuplicate?: boolean;
	Driver?: string;
	Scope?: string;
	Internal?: boolean;
	Attachable?: boolean;
	Ingress?: boolean;
	ConfigOnly?: boolean;
	ConfigFrom?: { Network: string } | null;
	IPAM?: { Driver?: string; Options?: StringMap | null; Config?: IpamConfig[] | null } | null;
	EnableIPv4?: boolean;
	EnableIPv6?: boolean;
	Options?: StringMap | null;
	Labels?: StringMap | null;
}
