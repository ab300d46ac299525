import {
	createHash,
	createPrivateKey,
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
	type webcrypto,
	X509Certificate,
} from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { errnoCode, errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { VerificationKey } from "./jwt.ts";

const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g;

/**
 * Keys that a token service signs with: PEM public keys or certificates, one or many, or a JSON Web Key Set.
 * @throws SystemError, InvalidParameterError
 */
export async function loadVerificationKeys(path: string): Promise<VerificationKey[]> {
	const text = await readText(path);
	try {
		const keys = text.trimStart().startsWith("{") ? keysOfSet(text) : keysOfPem(text);
		if (keys.length === 0) throw new Error("no key in it");
		return keys;
	} catch (cause) {
		throw new InvalidParameterError(`${path}: ${errorMessage(cause)}`, { cause });
	}
}

/** The key that the built-in token service signs with; made on first use. @throws SystemError, InvalidParameterError */
export async function loadSigningKey(path: string): Promise<KeyObject> {
	let text: string;
	try {
		text = await readFile(path, "utf8");
	} catch (error) {
		if (errnoCode(error) !== "ENOENT")
			throw new SystemError(`cannot read ${path}: ${errorMessage(error)}`, { cause: error });
		await makeSigningKey(path);
		text = await readText(path);
	}
	try {
		return createPrivateKey(text);
	} catch (cause) {
		throw new InvalidParameterError(`${path} is not a private key: ${errorMessage(cause)}`, { cause });
	}
}

export function keyIdOf(key: KeyObject): string {
	const publicKey = key.type === "private" ? createPublicKey(key) : key;
	return createHash("sha256")
		.update(publicKey.export({ type: "spki", format: "der" }))
		.digest("base64url")
		.slice(0, 32);
}

function keysOfSet(text: string): VerificationKey[] {
	const set: { keys?: (webcrypto.JsonWebKey & { kid?: string })[] } = JSON.parse(text);
	return (set.keys ?? []).map((jwk) => ({ id: jwk.kid, key: createPublicKey({ key: jwk, format: "jwk" }) }));
}

function keysOfPem(text: string): VerificationKey[] {
	return Array.from(text.matchAll(PEM_BLOCK), ([block, label = ""]) => {
		const key = label.includes("CERTIFICATE") ? new X509Certificate(block).publicKey : createPublicKey(block);
		return { id: keyIdOf(key), key };
	});
}

/** Complete under its name or not there at all; whoever is second takes the first one's. */
async function makeSigningKey(path: string): Promise<void> {
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
	const temporary = `${path}.${process.pid}`;
	try {
		const file = await open(temporary, "w", 0o600);
		try {
			await file.writeFile(privateKey.export({ type: "pkcs8", format: "pem" }));
			await file.datasync();
		} finally {
			await file.close();
		}
		await link(temporary, path);
	} catch (cause) {
		if (errnoCode(cause) !== "EEXIST") throw new SystemError(`cannot make ${path}: ${errorMessage(cause)}`, { cause });
	} finally {
		await rm(temporary, { force: true });
	}
}

async function readText(path: string): Promise<string> {
	try {
		return await readFile(path, "utf8");
	} catch (cause) {
		throw new SystemError(`cannot read ${path}: ${errorMessage(cause)}`, { cause });
	}
}
