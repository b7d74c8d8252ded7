package edgekd.app

import android.content.res.AssetManager
import edgekd.ArtefactException
import edgekd.Edgekd
import edgekd.InputException
import edgekd.android.bytesOf
import edgekd.android.openAsset
import edgekd.app.state.BundleNotes
import edgekd.testing.DeviceRunner
import edgekd.testing.Vectors
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

private const val KEY = "signer.pem"
private const val FLOAT = "predicted/fp32-tflite.edgekd"

/** Bundles among the assets, which pom.xml takes from the vectors. */
@RunWith(DeviceRunner::class)
@Config(application = AppUnderTest::class)
class AssetsTest {
    private val assets: AssetManager = RuntimeEnvironment.getApplication().assets

    @Before
    fun engine() = requireLiteRt()

    @Test
    fun `a bundle among the assets opens`() {
        val bytes = Vectors.bytes(FLOAT)
        assertArrayEquals(bytes, assets.bytesOf(FLOAT))
        val hash = Edgekd.open(bytes).use { it.bundleSha256 }
        Edgekd.openAsset(assets, FLOAT).use { assertEquals(hash, it.bundleSha256) }
        openDecider(assets, FLOAT, "no key").use {
            assertEquals(BundleNotes.Signature.NONE, it.notes.signature)
            assertEquals(hash, it.notes.sha256)
        }
    }

    @Test
    fun `a bundle that is not there is an error of two lines`() {
        val error = assertThrows(InputException::class.java) { Edgekd.openAsset(assets, "model.edgekd") }
        assertEquals("there is no asset model.edgekd", error.message)
        assertEquals("put it there with `edgekd build --target android --app`", error.hint)
    }

    @Test
    fun `with a key among the assets only bundles that are signed with its other half open`() {
        openDecider(assets, "bundles/signed-tflite.edgekd", KEY).use {
            assertEquals(BundleNotes.Signature.VERIFIED, it.notes.signature)
        }
        val refused =
            mapOf(
                FLOAT to "the bundle is not signed",
                "bundles/signed-tflite-manifest.sig-changed-by-a-byte.edgekd" to "the signature does not belong",
                "bundles/signed-tflite-manifest.json-changed-by-a-byte.edgekd" to "the signature does not belong",
                "bundles/signed-tflite-model.tflite-changed-by-a-byte.edgekd" to "does not have the hash",
            )
        for ((bundle, why) in refused) {
            val error = assertThrows(ArtefactException::class.java) { openDecider(assets, bundle, KEY) }
            assertTrue(error.message, why in error.message)
        }
    }
}
