package edgekd.bundle

import edgekd.ArtefactException
import edgekd.InputException
import edgekd.text.first
import edgekd.text.isPrintable
import edgekd.text.length
import edgekd.text.quoted
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

internal const val MAX_ARCHIVE_BYTES = 512L shl 20
internal const val MAX_FILES = 64
private const val MAX_DIRECTORY_BYTES = MAX_FILES.toLong() shl 10
private const val MAX_NAME_LENGTH = 255
private const val BUILT = "give the folder or .edgekd file that `edgekd build` wrote"

/** Files of a bundle by name. */
internal interface Storage {
    /** Size of a file; null where there is none. */
    fun size(name: String): Long?

    /** The first [most] bytes of a file that is there. */
    fun read(
        name: String,
        most: Long,
    ): ByteArray

    fun stream(name: String): InputStream

    /** Where a file is on disk; null where it is in memory alone. */
    fun file(name: String): File?

    /** Hex SHA-256 of a file that is there. */
    fun sha256(name: String): String =
        stream(name).use { stream ->
            val digest = MessageDigest.getInstance("SHA-256")
            val block = ByteArray(1 shl 16)
            var size = stream.read(block)
            while (size >= 0) {
                digest.update(block, 0, size)
                size = stream.read(block)
            }
            hex(digest.digest())
        }
}

/** Files that stay on disk. */
internal class FolderStorage(
    private val folder: File,
) : Storage {
    private val whole = folder.canonicalFile

    override fun size(name: String): Long? =
        try {
            val file = File(folder, name)
            // A file that is reached through a symbolic link is none of the bundle's.
            if (file.isFile && file.canonicalPath == File(whole, name).path) file.length() else null
        } catch (_: IOException) {
            null
        }

    override fun read(
        name: String,
        most: Long,
    ): ByteArray = stream(name).use { it.readAtMost(most) }

    override fun stream(name: String): InputStream =
        try {
            File(folder, name).inputStream()
        } catch (error: IOException) {
            throw ArtefactException(
                "${File(folder, name)} cannot be read: ${error.message}",
                "check its permissions, or copy it again",
                error,
            )
        }

    override fun file(name: String): File = File(folder, name)
}

/** Files held in memory, which never reach a disk. */
internal class MemoryStorage(
    private val contents: Map<String, ByteArray>,
) : Storage {
    override fun size(name: String): Long? = contents[name]?.size?.toLong()

    override fun read(
        name: String,
        most: Long,
    ): ByteArray = contents.getValue(name).let { if (it.size <= most) it else it.copyOf(most.toInt()) }

    override fun stream(name: String): InputStream = contents.getValue(name).inputStream()

    override fun file(name: String): File? = null
}

/** The files of a bundle folder, or of a zip. */
internal fun openStorage(
    source: File,
    label: String,
): Storage =
    when {
        source.isDirectory -> FolderStorage(source)
        source.isFile -> MemoryStorage(unpacked(readArchive(source, label), label))
        source.exists() -> throw ArtefactException("$label is not a bundle: neither a folder nor a file", BUILT)
        else -> throw InputException("there is no bundle at $label", BUILT)
    }

private fun readArchive(
    source: File,
    label: String,
): ByteArray {
    refuseLarge(source.length(), label)
    try {
        return source.readBytes()
    } catch (error: IOException) {
        throw ArtefactException(
            "$label cannot be read: ${error.message}",
            "check its permissions, or copy it again",
            error,
        )
    }
}

/** Content of every member of a zip by name. */
internal fun unpacked(
    archive: ByteArray,
    label: String,
): Map<String, ByteArray> {
    refuseLarge(archive.size.toLong(), label)
    try {
        val zip = StoredZip(Bytes(archive))
        if (zip.count > MAX_FILES || zip.directoryBytes > MAX_DIRECTORY_BYTES) {
            throw damaged(label, "it has more than $MAX_FILES files, or overlong names")
        }
        return checked(zip.members(), archive.size.toLong(), label).associate { it.name to zip.read(it) }
    } catch (error: ZipException) {
        throw ArtefactException("$label is not a bundle: ${error.message}", BUILT, error)
    } catch (error: IndexOutOfBoundsException) {
        throw ArtefactException("$label is not a bundle: it is cut off", BUILT, error)
    }
}

private fun checked(
    members: List<ZipMember>,
    archiveBytes: Long,
    label: String,
): List<ZipMember> {
    if (members.size > MAX_FILES) throw damaged(label, "it has more than $MAX_FILES files")
    members.forEach { refuseMember(it, archiveBytes, label) }
    if (members.distinctBy { it.name }.size < members.size) {
        throw damaged(label, "two of its members have the same name")
    }
    if (members.sumOf { it.size } > archiveBytes) throw damaged(label, "its members overlap")
    return members
}

private fun refuseMember(
    member: ZipMember,
    archiveBytes: Long,
    label: String,
) {
    val name = quoted(member.name)
    if (!isPlainName(member.name)) {
        throw damaged(label, "the member ${quoted(first(member.name, 80))} leads out of the bundle")
    }
    if (member.method != 0 || member.size != member.packed) {
        throw damaged(label, "the member $name is compressed or too large")
    }
    if (member.header > archiveBytes) throw damaged(label, "the member $name lies outside of it")
}

private fun refuseLarge(
    size: Long,
    label: String,
) {
    if (size > MAX_ARCHIVE_BYTES) {
        throw ArtefactException(
            "$label is larger than ${MAX_ARCHIVE_BYTES shr 20} MiB, the most for one file",
            "unzip it into a folder and open that",
        )
    }
}

/** The error for a bundle whose parts do not belong together. */
internal fun damaged(
    label: String,
    why: String,
): ArtefactException = ArtefactException("the bundle $label is damaged: $why", "copy it again, or build it again")

/** Whether a name is a relative path inside the bundle, with one meaning on every system. */
internal fun isPlainName(name: String): Boolean =
    length(name) <= MAX_NAME_LENGTH &&
        isPrintable(name) &&
        '\\' !in name &&
        ':' !in name &&
        name.split('/').none { it.isEmpty() || it == "." || it == ".." }

internal fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }

internal fun sha256(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(bytes))

internal fun InputStream.readAtMost(most: Long): ByteArray {
    val out = java.io.ByteArrayOutputStream()
    val block = ByteArray(1 shl 16)
    while (out.size() < most) {
        val size = read(block, 0, minOf(block.size.toLong(), most - out.size()).toInt())
        if (size < 0) break
        out.write(block, 0, size)
    }
    return out.toByteArray()
}
