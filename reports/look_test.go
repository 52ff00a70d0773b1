package reports
import ("testing";"os";"path/filepath")
func TestLookPage(t *testing.T){ if *keep=="" {t.Skip()}; os.WriteFile(filepath.Join(*keep,"report.html"),[]byte(written(t,violated())),0o644)
p:=violated(); e,s:=recorded(); p.Events=e; p.Timeline=NewTimeline(e,s); p.Result.Verdict="passed"; p.Decisive=Judgement{}; p.Result.Faults=FaultsOf(e)
os.WriteFile(filepath.Join(*keep,"passed.html"),[]byte(written(t,p)),0o644)}
