import ij.gui.Roi;
import ij.io.RoiDecoder;
import ij.process.ImageProcessor;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Opens a zip of ROIs as ImageJ's ROI Manager does and compares each with the label image: ZIP LABELS WIDTH [Z T]. */
public class ReadRois {
  public static void main(String[] args) throws Exception {
    int width = Integer.parseInt(args[2]);
    ByteBuffer labels = ByteBuffer.wrap(Files.readAllBytes(Paths.get(args[1]))).order(ByteOrder.LITTLE_ENDIAN);
    int height = labels.capacity() / 4 / width;
    int[] expected = new int[1 << 20];
    for (int i = 0; i < width * height; i++) expected[labels.getInt(4 * i)]++;
    int read = 0;
    try (ZipInputStream zip = new ZipInputStream(new FileInputStream(args[0]))) {
      for (ZipEntry entry; (entry = zip.getNextEntry()) != null;) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        zip.transferTo(bytes);
        Roi roi = new RoiDecoder(bytes.toByteArray(), entry.getName()).getRoi();
        int label = Integer.parseInt(roi.getName().split("-")[0]);
        check(roi.getName().matches("\\d+-\\w+"), "name " + roi.getName());
        check(entry.getName().equals(roi.getName() + ".roi"), "entry " + entry.getName());
        check(roi.getStrokeColor() != null, "no colour");
        if (args.length > 3) {
          check(roi.getZPosition() == Integer.parseInt(args[3]), "z " + roi.getZPosition());
          check(roi.getTPosition() == Integer.parseInt(args[4]), "t " + roi.getTPosition());
        }
        compare(roi, labels, width, label, expected[label]);
        read++;
      }
    }
    System.out.println(read + " ROIs");
  }

  private static void compare(Roi roi, ByteBuffer labels, int width, int label, int expected) {
    java.awt.Rectangle box = roi.getBounds();
    ImageProcessor mask = roi.getMask();
    int pixels = 0;
    for (int y = 0; y < box.height; y++) {
      for (int x = 0; x < box.width; x++) {
        boolean inside = mask == null || mask.get(x, y) != 0;
        boolean own = labels.getInt(4 * ((box.y + y) * width + box.x + x)) == label;
        check(inside == own, "cell " + label + " at " + (box.x + x) + ", " + (box.y + y) + " inside: " + inside);
        if (inside) pixels++;
      }
    }
    check(pixels == expected, "cell " + label + " has " + pixels + " pixels and not " + expected);
  }

  private static void check(boolean right, String problem) {
    if (!right) throw new IllegalStateException(problem);
  }
}
