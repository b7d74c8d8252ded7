package edgekd

import edgekd.bundle.Bundle
import edgekd.bundle.unpacked
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.file.Files

/** A bundle as a folder, which a zip in memory does not show. */
class FolderTest {
    @TempDir
    lateinit var folder: File

    private fun written(): File {
        unpacked(Vectors.bytes("bundles/good.edgekd"), "good").forEach { (name, content) ->
            File(folder, name).writeBytes(content)
        }
        return folder
    }

    @Test
    fun `a folder opens as its zip does`() {
        val zip = Bundle.open(Vectors.bytes("bundles/good.edgekd"))
        assertEquals(zip.sha256, Bundle.open(written()).sha256)
    }

    @Test
    fun `a file that is changed by a byte is refused`() {
        val model = File(written(), "model.onnx")
        model.writeBytes(model.readBytes().also { it[3] = 0 })
        val error = assertThrows<ArtefactException> { Bundle.open(folder) }
        assertTrue("does not have the hash" in error.message, error.message)
    }

    @Test
    fun `a file that is changed after the opening is refused`() {
        val bundle = Bundle.open(written())
        val model = File(folder, "model.onnx")
        model.writeBytes(model.readBytes().also { it[3] = 0 })
        assertThrows<ArtefactException> { bundle.read("model.onnx") }
    }

    @Test
    fun `a symbolic link is not followed`(
        @TempDir elsewhere: File,
    ) {
        val model = File(written(), "model.onnx")
        val target = File(elsewhere, "model.onnx").apply { writeBytes(model.readBytes()) }
        model.delete()
        Files.createSymbolicLink(model.toPath(), target.toPath())
        val error = assertThrows<ArtefactException> { Bundle.open(folder) }
        assertTrue(error.message.endsWith("model.onnx is missing"), error.message)
    }

    @Test
    fun `there is nothing at the place`() {
        val error = assertThrows<InputException> { Bundle.open(File(folder, "none")) }
        assertEquals(2, error.exitCode)
    }

    @Test
    fun `an edgekd file opens as its bytes do`() {
        val file = File(folder, "good.edgekd").apply { writeBytes(Vectors.bytes("bundles/good.edgekd")) }
        assertEquals(Bundle.open(file.readBytes()).sha256, Bundle.open(file).sha256)
    }
}
