/** What the options before the command say. */
export interface GlobalSettings {
	host?: string;
	context?: string;
	/** Folder of `config.json`. */
	configFolder: string;
	tls: boolean;
	/** undefined: not said, so the environment decides. */
	tlsVerify?: boolean;
	tlsCaCert?: string;
	tlsCert?: string;
	tlsKey?: string;
	isDebug: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;
