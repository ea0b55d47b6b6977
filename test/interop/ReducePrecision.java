import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import org.locationtech.jts.geom.Geometry;
import org.locationtech.jts.geom.PrecisionModel;
import org.locationtech.jts.io.geojson.GeoJsonReader;
import org.locationtech.jts.precision.GeometryPrecisionReducer;

/** Reads outlines and rounds each as QuPath 0.6 and later do: GEOJSON AREAS, one area in pixels per line. */
public class ReducePrecision {
  public static void main(String[] args) throws Exception {
    String text = new String(Files.readAllBytes(Paths.get(args[0])), StandardCharsets.UTF_8);
    String[] areas = Files.readAllLines(Paths.get(args[1])).toArray(new String[0]);
    Geometry all = new GeoJsonReader().read(text);
    if (all.getNumGeometries() != areas.length) throw new IllegalStateException(all.getNumGeometries() + " features");
    GeometryPrecisionReducer reducer = new GeometryPrecisionReducer(new PrecisionModel(100));
    for (int i = 0; i < areas.length; i++) {
      Geometry outline = all.getGeometryN(i);
      if (!outline.isValid()) throw new IllegalStateException("feature " + i + " is not valid: " + outline);
      Geometry reduced = reducer.reduce(outline);
      double expected = Double.parseDouble(areas[i]);
      if (!reduced.isValid() || reduced.getArea() != expected) {
        throw new IllegalStateException("feature " + i + " has the area " + reduced.getArea() + " and not " + expected);
      }
    }
    System.out.println(areas.length + " outlines");
  }
}
