package edgekd

import edgekd.engine.EngineOptions
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertTimeoutPreemptively
import java.io.ByteArrayOutputStream
import java.time.Duration
import java.util.Random
import java.util.zip.ZipEntry
import java.util.zip.ZipInputStream
import java.util.zip.ZipOutputStream

/**
 * Damaged bundles and photos: a prediction or one of our exceptions, and nothing else. A crash of native code ends the
 * process, and so the build. `-Dedgekd.fuzz=20000` runs more cases, `-Dedgekd.fuzz.seed=7` others.
 */
class FuzzTest {
    private val cases = System.getProperty("edgekd.fuzz", "300").toInt()
    private val seed = System.getProperty("edgekd.fuzz.seed", "0").toLong()
    private val options = Options(engine = EngineOptions(threads = 1))
    private val photo = Photo.Encoded(Vectors.bytes("predicted/photo-0.jpg"))

    @TestFactory
    fun `damaged photos`(): List<DynamicTest> {
        val photos =
            Vectors
                .cases("photos")
                .map { it.text("photo") }
                .distinct()
                .filter { it != LARGE }
                .map(Vectors::bytes)
        return listOf(
            DynamicTest.dynamicTest("$cases cases") {
                Edgekd.open(Vectors.bytes("predicted/fp32-onnx.edgekd"), options).use { classifier ->
                    val answers = run { classifier.predictNow(Photo.Encoded(damaged(photos[it.nextInt(photos.size)], it))) }
                    assertTrue(answers in 1 until cases) { "$answers of $cases damaged photos were answered" }
                }
            },
        )
    }

    @TestFactory
    fun `damaged bundles`(): List<DynamicTest> =
        listOf("fp32-onnx", "int8-onnx").map { name ->
            DynamicTest.dynamicTest("$name, $cases cases") {
                val bundle = Vectors.bytes("predicted/$name.edgekd")
                val members = membersOf(bundle)
                val answers =
                    run { random ->
                        val raw = if (random.nextInt(3) == 0) damaged(bundle, random) else withDamagedMember(members, random)
                        Edgekd.open(raw, options).use { it.predictNow(photo) }
                    }
                assertTrue(answers < cases) { "all $cases damaged bundles were answered" }
            }
        }

    /** Number of cases that end without one of our exceptions; any other exception fails. */
    private fun run(work: (Random) -> Unit): Int =
        (0 until cases).count { case ->
            try {
                assertTimeoutPreemptively(HANG, "case $case of seed $seed hangs") { work(Random(seed * cases + case)) }
                true
            } catch (_: EdgekdException) {
                false
            } catch (error: AssertionError) {
                throw error
            } catch (error: Throwable) {
                throw AssertionError("case $case of seed $seed: $error", error)
            }
        }

    private fun damaged(
        content: ByteArray,
        random: Random,
    ): ByteArray {
        val raw = content.copyOf()
        if (raw.isEmpty()) return raw
        repeat(1 + random.nextInt(4)) {
            val place = random.nextInt(raw.size)
            when (random.nextInt(3)) {
                0 -> raw[place] = random.nextInt(256).toByte()
                1 -> raw[place] = (raw[place].toInt() xor (1 shl random.nextInt(8))).toByte()
                else -> raw.fill(if (random.nextBoolean()) -1 else 0, place, minOf(raw.size, place + 1 + random.nextInt(16)))
            }
        }
        return if (random.nextInt(4) == 0) raw.copyOf(random.nextInt(raw.size + 1)) else raw
    }

    private fun membersOf(bundle: ByteArray): Map<String, ByteArray> =
        ZipInputStream(bundle.inputStream()).use { zip ->
            generateSequence { zip.nextEntry }.map { it.name to zip.readBytes() }.toMap()
        }

    /** A whole zip with a damaged member; with the hashes of its files put right, so that the engine gets to see it. */
    private fun withDamagedMember(
        members: Map<String, ByteArray>,
        random: Random,
    ): ByteArray {
        val name = members.keys.toList()[random.nextInt(members.size)]
        val changed = members + (name to damaged(members.getValue(name), random))
        var manifest = String(changed.getValue(MANIFEST), Charsets.ISO_8859_1)
        if (name != MANIFEST) {
            manifest = manifest.replace(sha256(members.getValue(name)), sha256(changed.getValue(name)))
            val before = "\"size\": ${members.getValue(name).size}"
            manifest = manifest.replace(before, "\"size\": ${changed.getValue(name).size}")
        }
        return zipped(changed + (MANIFEST to manifest.toByteArray(Charsets.ISO_8859_1)))
    }

    private fun zipped(members: Map<String, ByteArray>): ByteArray {
        val out = ByteArrayOutputStream()
        ZipOutputStream(out).use { zip ->
            members.forEach { (name, content) ->
                val entry = ZipEntry(name).apply { method = ZipEntry.STORED }
                entry.size = content.size.toLong()
                entry.crc =
                    java.util.zip
                        .CRC32()
                        .apply { update(content) }
                        .value
                zip.putNextEntry(entry)
                zip.write(content)
            }
        }
        return out.toByteArray()
    }

    private fun sha256(content: ByteArray): String =
        java.security.MessageDigest
            .getInstance("SHA-256")
            .digest(content)
            .joinToString("") { "%02x".format(it) }

    private companion object {
        const val MANIFEST = "manifest.json"
        const val LARGE = "photos/12-megapixels.jpg"
        val HANG: Duration = Duration.ofSeconds(120)
    }
}
