package pipeline

import (
	"reflect"
	"testing"
	"time"

	"sluice/internal/kafkaio"
)

// TestConfigSurvivesEncoding fills every field, so that one that is added and does not survive is
// found.
func TestConfigSurvivesEncoding(t *testing.T) {
	var want Config
	fill(t, "Config", reflect.ValueOf(&want).Elem())
	want.Redis.Password, want.Kafka.SASL.Password = "hunter2", "hunter3"
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	if got.Redis.Password != kafkaio.Secret("hunter2") {
		t.Error("the password is lost")
	}
	if _, err := Decode([]byte("{")); err == nil {
		t.Error("half a config was decoded")
	}
}

// fill gives a value to everything that is neither a function nor the log.
func fill(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.String:
		v.SetString("x " + name)
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(time.Second) % (1 << 14))
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, name, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, name, key)
		fill(t, name, value)
		v.SetMapIndex(key, value)
	case reflect.Func, reflect.Pointer: // Log
	default:
		t.Fatalf("%s is a %v: say here how it is filled", name, v.Kind())
	}
}
