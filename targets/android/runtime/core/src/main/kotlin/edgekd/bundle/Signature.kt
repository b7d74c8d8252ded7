package edgekd.bundle

import edgekd.ArtefactException
import edgekd.InputException
import org.bouncycastle.crypto.params.Ed25519PublicKeyParameters
import org.bouncycastle.crypto.signers.Ed25519Signer
import org.bouncycastle.crypto.util.PublicKeyFactory
import java.io.IOException
import java.util.Base64

internal const val SIGNATURE = "manifest.sig"
private const val RAW_KEY_BYTES = 32
private const val SIGNATURE_BYTES = 64
private val PEM = Regex("-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\\s]+)-----END PUBLIC KEY-----")

/**
 * An Ed25519 public key, by which a bundle's signature is verified (RFC 8032).
 *
 * BouncyCastle computes it: Android's own Ed25519 begins with API 33.
 */
internal class PublicKey(
    source: ByteArray,
) {
    private val key: Ed25519PublicKeyParameters =
        if (source.size == RAW_KEY_BYTES) Ed25519PublicKeyParameters(source, 0) else ofPem(source)

    /** Refuse a manifest that the owner of the key did not sign. */
    fun verify(
        manifest: ByteArray,
        signatureText: ByteArray?,
    ) {
        if (signatureText == null) {
            throw ArtefactException(
                "the bundle is not signed: it has no $SIGNATURE",
                "sign it with `edgekd sign`, or take it from who signs it",
            )
        }
        val signature = decoded(signatureText)
        val signer = Ed25519Signer().apply { init(false, key) }
        signer.update(manifest, 0, manifest.size)
        if (!signer.verifySignature(signature)) {
            throw ArtefactException(
                "the signature does not belong to this manifest and this key",
                "do not use the bundle; take it from who signs it",
            )
        }
    }

    private companion object {
        fun ofPem(source: ByteArray): Ed25519PublicKeyParameters {
            val body = PEM.find(String(source, Charsets.ISO_8859_1))?.groupValues?.get(1)
            val key =
                try {
                    body?.let { PublicKeyFactory.createKey(Base64.getMimeDecoder().decode(it)) }
                } catch (_: IOException) {
                    null
                } catch (_: RuntimeException) {
                    // BouncyCastle's and Base64's, of damaged bytes
                    null
                }
            if (key == null) {
                throw InputException(
                    "the public key is not a public key in PEM",
                    "give the .pub.pem that `edgekd sign --new-key` wrote",
                )
            }
            return key as? Ed25519PublicKeyParameters
                ?: throw InputException("the public key is not an Ed25519 key", "make one with `edgekd sign --new-key`")
        }

        fun decoded(text: ByteArray): ByteArray {
            val signature =
                try {
                    Base64.getDecoder().decode(String(text, Charsets.ISO_8859_1).trim())
                } catch (_: IllegalArgumentException) {
                    ByteArray(0)
                }
            if (signature.size != SIGNATURE_BYTES) {
                throw ArtefactException(
                    "$SIGNATURE is not $SIGNATURE_BYTES bytes in base64",
                    "copy the bundle again, or have it signed again",
                )
            }
            return signature
        }
    }
}
