package edgekd.bundle

import edgekd.ArtefactException
import edgekd.text.first
import edgekd.text.quoted
import java.io.Closeable
import java.io.File
import java.io.InputStream

internal const val MANIFEST = "manifest.json"
internal const val PROVENANCE = "provenance.json"
internal const val SELFTEST = "selftest.npz"
private const val MAX_MANIFEST_BYTES = 4L shl 20
private const val MAX_SIGNATURE_BYTES = 1L shl 10
private const val MAX_FILE_BYTES = 1L shl 30

/** What is known about a bundle's signature. */
enum class SignatureState { NONE, NOT_CHECKED, VERIFIED }

/** An opened bundle: its manifest and its files, checked before any content is used. */
internal class Bundle private constructor(
    private val storage: Storage,
    val label: String,
    private val raw: ByteArray,
    val manifest: Manifest,
    val signature: SignatureState,
) : Closeable {
    private var open = true

    /** Hex SHA-256 of the manifest, which has the hash of every other file: that of the bundle. */
    val sha256: String get() = sha256(raw)

    /** Content of a file that the manifest lists, as it was hashed. */
    fun read(name: String): ByteArray {
        val entry = listed(name)
        val content = files().read(name, entry.size + 1)
        refuseSize(name, entry, content.size.toLong())
        refuseHash(name, entry, sha256(content))
        return content
    }

    /** A stream of a file that the manifest lists. */
    fun stream(name: String): InputStream {
        listed(name)
        return files().stream(name)
    }

    /** Where a file is on disk; null where it is in memory alone. */
    fun file(name: String): File? = files().file(name)

    override fun close() {
        open = false
    }

    private fun files(): Storage {
        check(open) { "the bundle is closed" }
        return storage
    }

    private fun listed(name: String): FileEntry {
        val entry = manifest.files[name]
        if (entry == null || files().size(name) == null) throw damaged(label, "$name is missing")
        return entry
    }

    private fun checkFiles() {
        if (manifest.files.size > MAX_FILES) throw damaged(label, "its manifest lists more than $MAX_FILES files")
        for ((name, entry) in manifest.files) {
            if (!isPlainName(name)) throw damaged(label, "the name ${quoted(first(name, 80))} leads out of the bundle")
            if (name in setOf(MANIFEST, SIGNATURE, PROVENANCE)) {
                throw damaged(label, "its manifest lists $name, which cannot be hashed")
            }
            val size = storage.size(name) ?: throw damaged(label, "$name is missing")
            refuseSize(name, entry, size)
            refuseHash(name, entry, storage.sha256(name))
        }
    }

    private fun refuseSize(
        name: String,
        entry: FileEntry,
        size: Long,
    ) {
        if (size != entry.size || size > MAX_FILE_BYTES) {
            throw damaged(label, "$name does not have the size that the manifest says")
        }
    }

    private fun refuseHash(
        name: String,
        entry: FileEntry,
        sha256: String,
    ) {
        if (sha256 != entry.sha256) throw damaged(label, "$name does not have the hash that the manifest says")
    }

    companion object {
        /** Open the bytes of an `.edgekd` file, which never touch a disk. */
        fun open(
            bytes: ByteArray,
            publicKey: ByteArray? = null,
        ): Bundle {
            val key = publicKey?.let(::PublicKey) // a bad key is reported before a bad bundle
            return of(MemoryStorage(unpacked(bytes, "<bytes>")), "<bytes>", key)
        }

        /** Open a bundle folder or `.edgekd` file. */
        fun open(
            place: File,
            publicKey: ByteArray? = null,
        ): Bundle {
            val key = publicKey?.let(::PublicKey)
            return of(openStorage(place, place.path), place.path, key)
        }

        private fun of(
            storage: Storage,
            label: String,
            key: PublicKey?,
        ): Bundle {
            val raw = readManifest(storage, label)
            val bundle =
                try {
                    val state = signatureState(storage, raw, key)
                    Bundle(storage, label, raw, Manifest.decode(raw), state)
                } catch (error: ArtefactException) {
                    // name the bundle, since there may be several
                    throw ArtefactException("$label: ${error.message}", error.hint, error)
                }
            return bundle.also { it.checkFiles() }
        }

        private fun readManifest(
            storage: Storage,
            label: String,
        ): ByteArray {
            if (storage.size(MANIFEST) == null) {
                throw ArtefactException(
                    "$label is not a bundle: it has no $MANIFEST",
                    "give the folder or .edgekd file that `edgekd build` wrote",
                )
            }
            val raw = storage.read(MANIFEST, MAX_MANIFEST_BYTES + 1)
            if (raw.size > MAX_MANIFEST_BYTES) {
                throw damaged(label, "$MANIFEST is larger than $MAX_MANIFEST_BYTES bytes")
            }
            return raw
        }

        private fun signatureState(
            storage: Storage,
            raw: ByteArray,
            key: PublicKey?,
        ): SignatureState {
            val there = storage.size(SIGNATURE) != null
            if (key == null) return if (there) SignatureState.NOT_CHECKED else SignatureState.NONE
            key.verify(raw, if (there) storage.read(SIGNATURE, MAX_SIGNATURE_BYTES) else null)
            return SignatureState.VERIFIED
        }
    }
}
