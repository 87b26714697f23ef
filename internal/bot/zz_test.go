package bot_test
import ("testing";"fmt";"github.com/nuobit/odyssey/internal/forge")
func TestZZ(t *testing.T) {
	n, calls := 58, 0
	s := newScene(t, "")
	for i, step := range story() {
		step.act(s)
		hook := func(after bool) func(string) error {
			return func(m string) error {
				if !after { calls++ }
				if calls == n && after == (i%2 == 0) { fmt.Println("FAIL", step.name, m, after); return forge.ErrTransient }
				return nil
			}
		}
		s.fake.FailBefore(hook(false)); s.fake.FailAfter(hook(true))
		out, err := s.bot.Run(t.Context(), s.fake, s.name)
		fmt.Println(step.name, inWords(out), err)
		s.look()
	}
}
